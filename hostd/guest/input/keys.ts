import { Fault } from '@lebureau/kit/fault';
import { type KeyRow, keyTable } from './keyTable.ts';

export interface Key {
  /** As in X11/keysymdef.h, or the character itself. */
  name: string;
  keysym: number;
  modifier: boolean;
}

const nearMax = 3;
const byName = new Map<string, KeyRow>();
for (const row of keyTable) {
  for (const name of [row.name, ...row.aliases]) byName.set(plain(name), row);
}

/**
 * The keys of one chord in the order to press them. Each element is one key, or several joined by `+` (`ctrl+a`).
 * @throws Fault `unknown_key` with near matches in `nearMatches`.
 */
export function parseChord(names: readonly string[]): Key[] {
  return names.flatMap((name) => splitChord(name).map(parseKey));
}

/** @throws Fault `unknown_key`. */
export function parseKey(name: string): Key {
  if (isOneCharacter(name) && name > ' ') return { name, keysym: keysymOfCharacter(name), modifier: false };
  const row = byName.get(plain(name));
  if (row) return { name: row.name, keysym: row.keysym, modifier: row.modifier ?? false };
  const nearMatches = nearNames(name);
  const near = nearMatches.length > 0 ? ` Near matches: ${nearMatches.join(', ')}.` : '';
  throw new Fault('unknown_key', `There is no key ${JSON.stringify(name.slice(0, 64))}.${near}`, {
    members: { key: name.slice(0, 64), nearMatches },
  });
}

/** Latin-1 characters are their own keysym, all others are told by their code point. */
export function keysymOfCharacter(character: string): number {
  const codePoint = character.codePointAt(0)!;
  if (codePoint === 0x0a || codePoint === 0x0d) return 0xff0d;
  if (codePoint === 0x09) return 0xff09;
  const isLatin1 = (codePoint >= 0x20 && codePoint <= 0x7e) || (codePoint >= 0xa0 && codePoint <= 0xff);
  return isLatin1 ? codePoint : 0x0100_0000 | codePoint;
}

function splitChord(chord: string): string[] {
  if (chord.length <= 1 || !chord.includes('+')) return splitByHyphen(chord);
  const parts = chord.split('+').map((part) => part.trim());
  // `ctrl++` is the plus key: its place shows as two empty parts at the end.
  if (chord.endsWith('++')) parts.splice(-2, 2, '+');
  if (parts.some((part) => part === '')) return [chord];
  return parts;
}

/** `ctrl-a` where no key has that whole name. */
function splitByHyphen(chord: string): string[] {
  if (chord.length <= 1 || !chord.includes('-') || byName.has(plain(chord))) return [chord];
  const parts = chord.split('-');
  const leading = parts.slice(0, -1).map((part) => byName.get(plain(part)));
  return leading.every((row) => row?.modifier) && parts.at(-1) !== '' ? parts : [chord];
}

function isOneCharacter(name: string): boolean {
  return Array.from(name).length === 1;
}

function plain(name: string): string {
  return name.length === 1 ? name.toLowerCase() : name.toLowerCase().replace(/[\s_-]/g, '');
}

function nearNames(name: string): string[] {
  const wanted = plain(name).slice(0, 32);
  const scored = keyTable
    .filter((row) => !isOneCharacter(row.name))
    .map((row) => ({
      name: row.name,
      distance: Math.min(...[row.name, ...row.aliases].map((one) => distance(wanted, plain(one)))),
    }))
    .filter((entry) => entry.distance <= Math.max(2, Math.floor(wanted.length / 3)));
  return scored
    .sort((a, b) => a.distance - b.distance)
    .slice(0, nearMax)
    .map((entry) => entry.name);
}

/** How many characters to insert, delete or replace; less when one begins with the other. */
function distance(a: string, b: string): number {
  if (a.length >= 3 && (b.startsWith(a) || a.startsWith(b)) && b.length >= 3) return 1;
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[j]! + 1, current[j - 1]! + 1));
    }
    above = current;
  }
  return above[b.length]!;
}
