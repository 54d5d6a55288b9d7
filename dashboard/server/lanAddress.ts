import { networkInterfaces } from 'node:os';

/** The address of this machine on its local network: the first private IPv4 one, else any. @throws Error when there is none */
export function lanAddress(interfaces = networkInterfaces()): string {
  const all = Object.entries(interfaces)
    .filter(([name]) => !/^(lo|docker|veth|virbr|lb|vmbr)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  const found = all.find((address) => /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address)) ?? all[0];
  if (found === undefined) throw new Error('This machine has no address on a local network.');
  return found;
}
