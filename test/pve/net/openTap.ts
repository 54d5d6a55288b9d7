import { dlopen, FFIType, ptr } from 'bun:ffi';
import { closeSync, openSync } from 'node:fs';

const libc = dlopen('libc.so.6', {
  ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
}).symbols;

const setInterface = 0x4004_54ca;
/** IFF_TAP and IFF_NO_PI, without IFF_VNET_HDR. */
const flags = 0x0002 | 0x1000;
const nameBytes = 16;

/** Makes a TAP device of this name in our own network namespace. It lives as long as its descriptor is open anywhere. */
export function openTap(name: string): number {
  if (name.length >= nameBytes) throw new Error(`${name} is too long for a network device`);
  const request = Buffer.alloc(40);
  request.write(name, 'latin1');
  request.writeUInt16LE(flags, nameBytes);
  const fd = openSync('/dev/net/tun', 'r+');
  if (libc.ioctl(fd, BigInt(setInterface), ptr(request)) === 0) return fd;
  closeSync(fd);
  throw new Error(`no network device ${name} could be made`);
}
