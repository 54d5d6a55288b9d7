import { isIPv4 } from 'node:net';

export interface ResolverChoice {
  /** Where guests' questions go; undefined: nowhere, and names do not resolve. */
  address?: string;
  /** QEMU reads the host's resolv.conf; true where that names another server than `address`. */
  ownFile: boolean;
}

/**
 * QEMU passes a guest's questions to the first server of resolv.conf. One on loopback cannot be reached from the guest's
 * network namespace, so then the servers behind it are taken (systemd-resolved lists them in a file of its own).
 */
export function chooseResolver(texts: { hostFile: string; upstreamFile?: string; wanted?: string }): ResolverChoice {
  const first = nameservers(texts.hostFile)[0];
  const candidates =
    texts.wanted === undefined
      ? [...nameservers(texts.hostFile), ...nameservers(texts.upstreamFile ?? '')]
      : [texts.wanted];
  const address = candidates.find((each) => isIPv4(each) && !each.startsWith('127.') && each !== '0.0.0.0');
  return { address, ownFile: address !== undefined && address !== first };
}

function nameservers(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}
