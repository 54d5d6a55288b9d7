/**
 * What RFB clients send (RFC 6143 §7.5 and the registered extensions that our hypervisors know), as far as its length and
 * its meaning for control go.
 */
export type RfbKind =
  /** What to show and how. */
  | 'look'
  /** Keys, pointer, clipboard: only for whoever holds control. */
  | 'write'
  /** Never passed on: the screen has the size it was made with, power has its own calls, and sound is not given. */
  | 'never';

export interface RfbMessage {
  kind: RfbKind;
  /** Bytes of the whole message, once its head is known. */
  length: number;
}

const types = {
  setPixelFormat: 0,
  setEncodings: 2,
  updateRequest: 3,
  key: 4,
  pointer: 5,
  cutText: 6,
  continuousUpdates: 150,
  fence: 248,
  xvp: 250,
  desktopSize: 251,
  qemu: 255,
} as const;

const encodingsMax = 256;
const screensMax = 16;
const fenceMaxBytes = 64;
const cutTextMaxBytes = 1_048_576;

/** Nothing longer than this has to be known to tell a message's length. */
export const headMaxBytes = 10;

/** @returns undefined while the head is incomplete. @throws Error for what is no message, or too large to be meant */
export function messageAt(bytes: Buffer): RfbMessage | undefined {
  const look = (length: number): RfbMessage => ({ kind: 'look', length });
  const write = (length: number): RfbMessage => ({ kind: 'write', length });
  const never = (length: number): RfbMessage => ({ kind: 'never', length });
  const has = (count: number) => bytes.length >= count;
  if (!has(1)) return undefined;
  switch (bytes[0]) {
    case types.setPixelFormat:
      return look(20);
    case types.setEncodings:
      return has(4) ? look(4 + 4 * atMost(bytes.readUInt16BE(2), encodingsMax)) : undefined;
    case types.updateRequest:
      return look(10);
    case types.key:
      return write(8);
    case types.pointer:
      return write(6);
    case types.cutText:
      // The extended form says its length as a negative number.
      return has(8) ? write(8 + atMost(Math.abs(bytes.readInt32BE(4)), cutTextMaxBytes)) : undefined;
    case types.continuousUpdates:
      return look(10);
    case types.fence:
      return has(9) ? look(9 + atMost(bytes[8]!, fenceMaxBytes)) : undefined;
    case types.xvp:
      return never(4);
    case types.desktopSize:
      return has(8) ? never(8 + 16 * atMost(bytes[6]!, screensMax)) : undefined;
    case types.qemu:
      return qemuMessageAt(bytes);
    default:
      throw new Error(`message ${bytes[0]} is unknown`);
  }
}

function qemuMessageAt(bytes: Buffer): RfbMessage | undefined {
  if (bytes.length < 2) return undefined;
  if (bytes[1] === 0) return { kind: 'write', length: 12 };
  if (bytes[1] !== 1) throw new Error(`message 255/${bytes[1]} is unknown`);
  if (bytes.length < 4) return undefined;
  const operation = bytes.readUInt16BE(2);
  if (operation > 2) throw new Error(`message 255/1/${operation} is unknown`);
  return { kind: 'never', length: operation === 2 ? 10 : 4 };
}

function atMost(count: number, max: number): number {
  if (count > max) throw new Error(`${count} of what may be ${max} at most`);
  return count;
}
