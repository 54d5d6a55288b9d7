/**
 * The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02) and the OpenSSH extensions (PROTOCOL, section 4).
 * The one who answers is a hostile guest: every length is checked against what is there.
 */

export const packetType = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 200,
  extendedReply: 201,
} as const;

export const statusCode = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;

export const openFlag = { read: 1, write: 2, create: 8, exclusive: 0x20 } as const;

export interface Attributes {
  /** All 0 where the server says nothing. */
  sizeBytes: number;
  uid: number;
  gid: number;
  /** File type and permissions, as st_mode. */
  mode: number;
  modifiedSeconds: number;
}

const attributeFlag = { size: 1, owner: 2, mode: 4, times: 8, extended: 0x8000_0000 };

/** number: uint32; bigint: uint64; bytes or text: a string with its length before it. */
export type Field = number | bigint | Uint8Array | string;

/** A packet with its length before it. */
export function encodePacket(type: number, id: number, fields: readonly Field[]): Buffer {
  const values = fields.map((field) => (typeof field === 'string' ? Buffer.from(field) : field));
  const length = values.reduce<number>((sum, value) => sum + widthOf(value), 5);
  const packet = Buffer.allocUnsafe(4 + length);
  packet.writeUInt32BE(length, 0);
  packet[4] = type;
  packet.writeUInt32BE(id, 5);
  let at = 9;
  for (const value of values) {
    if (typeof value === 'bigint') at = packet.writeBigUInt64BE(value, at);
    else if (typeof value === 'number') at = packet.writeUInt32BE(value, at);
    else {
      at = packet.writeUInt32BE(value.length, at);
      packet.set(value, at);
      at += value.length;
    }
  }
  return packet;
}

function widthOf(value: number | bigint | Uint8Array): number {
  if (typeof value === 'bigint') return 8;
  return typeof value === 'number' ? 4 : 4 + value.length;
}

/** Attributes that set only the permissions. */
export function modeFields(mode: number | undefined): Field[] {
  return mode === undefined ? [0] : [attributeFlag.mode, mode];
}

/** Attributes that set only the size. */
export function sizeFields(bytes: number): Field[] {
  return [attributeFlag.size, BigInt(bytes)];
}

/** The server broke the protocol; the session ends. */
export class SftpViolation extends Error {}

export class PacketReader {
  private readonly bytes: Buffer;
  private at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u32(): number {
    this.need(4);
    this.at += 4;
    return this.bytes.readUInt32BE(this.at - 4);
  }

  /** A uint64 that counts bytes. Past 2^53 it is the server's nonsense. */
  u64(): number {
    this.need(8);
    this.at += 8;
    const value = this.bytes.readBigUInt64BE(this.at - 8);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  string(): Buffer {
    const length = this.u32();
    this.need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  attributes(): Attributes {
    const flags = this.u32();
    const sizeBytes = flags & attributeFlag.size ? this.u64() : 0;
    const [uid, gid] = flags & attributeFlag.owner ? [this.u32(), this.u32()] : [0, 0];
    const mode = flags & attributeFlag.mode ? this.u32() : 0;
    const [, modifiedSeconds] = flags & attributeFlag.times ? [this.u32(), this.u32()] : [0, 0];
    if (flags & attributeFlag.extended) {
      for (let count = this.u32(); count > 0; count--) {
        this.string();
        this.string();
      }
    }
    return { sizeBytes, uid, gid, mode, modifiedSeconds };
  }

  private need(count: number): void {
    if (count > this.left) throw new SftpViolation('an SFTP packet is shorter than it says');
  }
}
