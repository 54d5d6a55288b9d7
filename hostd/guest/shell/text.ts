import { Fault } from '@lebureau/kit/fault';

/** UTF-8; what is not becomes U+FFFD. */
export function toText(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/**
 * How many of these bytes end at a character boundary: a character of which the end is missing is left for later.
 * Bytes that cannot become a character are not waited for.
 */
export function wholeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return byte <= 0xf4 && width > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** @throws Fault invalid_request when a text that goes to the guest's system calls holds a NUL. */
export function refuseNul(texts: Readonly<Record<string, string | undefined>>): void {
  for (const [name, text] of Object.entries(texts)) {
    if (text?.includes('\0')) throw new Fault('invalid_request', `${name} must not contain a NUL character.`);
  }
}
