/**
 * Whether a port is listened on, and on addresses of the loopback only: such a server is reached from inside the guest alone.
 * @param tables of the guest's kernel: /proc/net/tcp and /proc/net/tcp6
 */
export function loopbackOnly(tables: string, port: number): boolean {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const addresses = tables.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [address = '', at] = local.split(':');
    return state === listening && at === wanted ? [address] : [];
  });
  return addresses.length > 0 && addresses.every((address) => loopback.test(address));
}

const listening = '0A';
/** Words of 32 bits, each with its lowest byte first: 127.0.0.0/8, ::1, and the former in the latter's form. */
const loopback = /^(?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;
