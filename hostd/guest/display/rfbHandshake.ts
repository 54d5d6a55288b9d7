import { createCipheriv } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { ByteReader } from './byteReader.ts';

const security = { none: 1, vncAuth: 2 } as const;
const reasonMaxBytes = 4096;
const nameMaxBytes = 65_536;
/** Larger than any screen we give out, small enough (256 MiB) that a hostile server cannot exhaust memory with one. */
const edgeMax = 8192;

export interface ScreenSize {
  width: number;
  height: number;
}

/**
 * RFB 3.8 (RFC 6143) up to and with ServerInit, security none or VNC authentication.
 * Throws Error, with the server's reason where it gave one.
 */
export async function shakeHands(stream: Duplex, reader: ByteReader, password?: string): Promise<ScreenSize> {
  const init = await logIn(stream, reader, password);
  return checkSize(init.readUInt16BE(0), init.readUInt16BE(2));
}

/** The same. @returns the whole ServerInit message */
export async function logIn(stream: Duplex, reader: ByteReader, password?: string): Promise<Buffer> {
  const version = (await reader.read(12)).toString('latin1');
  if (!/^RFB \d{3}\.\d{3}\n$/.test(version)) throw new Error('no RFB server');
  if (version < 'RFB 003.008\n') throw new Error(`the server speaks only ${version.trim()}`);
  stream.write('RFB 003.008\n');

  const count = (await reader.read(1))[0]!;
  if (count === 0) throw new Error(`the server refused: ${await readText(reader, reasonMaxBytes)}`);
  const offered = await reader.read(count);
  if (offered.includes(security.none)) {
    stream.write(Uint8Array.of(security.none));
  } else if (offered.includes(security.vncAuth)) {
    if (password === undefined) throw new Error('the server wants a password');
    stream.write(Uint8Array.of(security.vncAuth));
    stream.write(answerChallenge(await reader.read(16), password));
  } else {
    throw new Error(`no known security type in ${[...offered].join(', ')}`);
  }
  if ((await reader.read(4)).readUInt32BE(0) !== 0) {
    throw new Error(`the server refused: ${await readText(reader, reasonMaxBytes)}`);
  }

  const shared = 1;
  stream.write(Uint8Array.of(shared));
  const init = Buffer.from(await reader.read(24));
  const nameBytes = init.readUInt32BE(20);
  if (nameBytes > nameMaxBytes) throw new Error(`a text of ${nameBytes} bytes is refused`);
  return Buffer.concat([init, await reader.read(nameBytes)]);
}

/** @throws Error for a screen that has no pixels, or more than fit. */
export function checkSize(width: number, height: number): ScreenSize {
  if (width < 1 || height < 1 || width > edgeMax || height > edgeMax) {
    throw new Error(`a screen of ${width}×${height} is refused`);
  }
  return { width, height };
}

/** DES in ECB, keyed by the first eight bytes of the password, the bits of each byte in reverse order (RFC 6143 §7.2.2). */
export function answerChallenge(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'latin1').copy(key);
  const cipher = createCipheriv('des-ecb', key.map(reverseBits), null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}

function reverseBits(byte: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit++) reversed |= ((byte >> bit) & 1) << (7 - bit);
  return reversed;
}

async function readText(reader: ByteReader, maxBytes: number): Promise<string> {
  const length = (await reader.read(4)).readUInt32BE(0);
  if (length > maxBytes) throw new Error(`a text of ${length} bytes is refused`);
  return (await reader.read(length)).toString('utf8');
}
