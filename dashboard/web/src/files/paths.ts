import { language } from '../language.ts';

/** `/a/b` and `c` → `/a/b/c`. */
export function joinPath(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** Each folder on the way, from the root. */
export function stepsTo(path: string): { name: string; path: string }[] {
  const names = path.split('/').filter(Boolean);
  return [
    { name: '/', path: '/' },
    ...names.map((name, at) => ({ name, path: `/${names.slice(0, at + 1).join('/')}` })),
  ];
}

/** "1.2 MB", "1,2 Mo". */
export function saySize(bytes: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let value = bytes;
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  const digits = at === 0 ? 0 : 1;
  const number = new Intl.NumberFormat(language.get(), {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  // No-break: a number does not part from its unit.
  return `${number.format(value)}\u00a0${units[at]!}${language.get() === 'fr' ? 'o' : 'B'}`;
}
