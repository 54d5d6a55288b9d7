import { Fault } from '@lebureau/kit/fault';

/** Texts of a message: `key\0value\0…`. A key may come more than once. */
export type Fields = readonly (readonly [string, string])[];

/** @throws Fault `invalid_request` when a text holds a NUL, which the wire cannot carry. */
export function encodeFields(fields: Fields): Buffer {
  for (const [key, value] of fields) {
    if (value.includes('\0')) throw new Fault('invalid_request', `${key} must not contain a NUL character`);
  }
  return Buffer.from(fields.map(([key, value]) => `${key}\0${value}\0`).join(''), 'utf8');
}

/** What a guest sent; the last value of a key wins, and an unpaired rest is left out. */
export function decodeFields(payload: Uint8Array): Map<string, string> {
  const texts = Buffer.from(payload).toString('utf8').split('\0');
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < texts.length; i += 2) found.set(texts[i]!, texts[i + 1]!);
  return found;
}
