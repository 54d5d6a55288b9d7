import { idBody } from '@lebureau/kit/id';

const lengthMax = 40;

/** The name as a host name: lower-case letters, digits and hyphens; the end of the id where nothing is left of it. */
export function hostNameOf(name: string, desktopId: string): string {
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, lengthMax)
    .replaceAll(/^-+|-+$/g, '');
  return plain === '' ? `desktop-${idBody(desktopId).slice(-6)}` : plain;
}
