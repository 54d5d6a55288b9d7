import { maskedHead } from '../frameReader.ts';

/** A frame as a server sends it. */
export function frameOf(opcode: number, payload: Buffer, final = true): Buffer {
  const head = maskedHead(opcode, payload.length);
  const unmasked = Buffer.from(head.subarray(0, -4));
  unmasked[0] = (final ? 0x80 : 0) | opcode;
  unmasked[1]! &= 0x7f;
  return Buffer.concat([unmasked, payload]);
}
