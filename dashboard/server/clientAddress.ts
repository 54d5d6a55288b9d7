import { BlockList, isIP } from 'node:net';

/** Who is at the other end, where proxies of ours stand in between. */
export class ClientAddress {
  readonly #trusted = new BlockList();

  /** @param trusted addresses, or networks such as 10.0.0.0/8. @throws Error that names what is neither */
  constructor(trusted: readonly string[]) {
    for (const each of trusted) {
      const [address = '', prefix] = each.split('/');
      const family = isIP(address);
      const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
      if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32))
        throw new Error(`LEBUREAU_TRUSTED_PROXIES: ${each} is no address and no network`);
      this.#trusted.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
    }
  }

  isTrusted(address: string): boolean {
    const plain = address.replace(/^::ffff:/, '');
    const family = isIP(plain);
    return family !== 0 && this.#trusted.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  }

  /** From the right: each proxy of ours vouches for the one before it, and nobody for the rest. */
  of(peer: string, headers: Headers): string {
    if (!this.isTrusted(peer)) return peer;
    const claimed = (headers.get('x-forwarded-for') ?? '').split(',').map((each) => each.trim());
    let address = peer;
    while (this.isTrusted(address)) {
      const before = claimed.pop();
      if (before === undefined || isIP(before) === 0) return address;
      address = before;
    }
    return address;
  }
}
