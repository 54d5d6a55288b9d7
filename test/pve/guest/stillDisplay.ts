import type { Duplex } from 'node:stream';

const width = 640;
const height = 400;

/** An RFB 3.8 server with one still picture: enough for a client to log in, take a frame and send input. */
export function serveStill(stream: Duplex, name: string): void {
  let buffered = Buffer.alloc(0);
  let step: 'version' | 'security' | 'init' | 'messages' = 'version';
  stream.write('RFB 003.008\n');
  stream.on('error', () => stream.destroy());
  stream.on('data', (piece: Buffer) => {
    buffered = Buffer.concat([buffered, piece]);
    for (let used = advance(); used > 0; used = advance()) buffered = buffered.subarray(used);
  });

  function advance(): number {
    if (step === 'version') {
      if (buffered.length < 12) return 0;
      stream.write(Buffer.from([1, 1]));
      step = 'security';
      return 12;
    }
    if (step === 'security') {
      if (buffered.length < 1) return 0;
      stream.write(Buffer.from([0, 0, 0, 0]));
      step = 'init';
      return 1;
    }
    if (step === 'init') {
      if (buffered.length < 1) return 0;
      stream.write(serverInit(name));
      step = 'messages';
      return 1;
    }
    return message();
  }

  function message(): number {
    const length = lengthOf(buffered);
    if (length === 0 || buffered.length < length) return 0;
    if (buffered[0] === 3 && buffered[1] === 0) stream.write(wholePicture());
    return length;
  }
}

/** The length of the client's message at the front, or 0 while it is not yet known. */
function lengthOf(buffered: Buffer): number {
  if (buffered.length === 0) return 0;
  switch (buffered[0]) {
    case 0:
      return 20;
    case 2:
      return buffered.length < 4 ? 0 : 4 + 4 * buffered.readUInt16BE(2);
    case 3:
      return 10;
    case 4:
      return 8;
    case 5:
      return 6;
    case 6:
      return buffered.length < 8 ? 0 : 8 + Math.abs(buffered.readInt32BE(4));
    case 255:
      return 12;
    default:
      return buffered.length;
  }
}

function serverInit(name: string): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt16BE(width, 0);
  head.writeUInt16BE(height, 2);
  Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(head, 4);
  const title = Buffer.from(`QEMU (${name})`);
  head.writeUInt32BE(title.length, 20);
  return Buffer.concat([head, title]);
}

function wholePicture(): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(width, 8);
  head.writeUInt16BE(height, 10);
  const pixels = Buffer.alloc(width * height * 4);
  for (let at = 0; at < width * height; at++) pixels.writeUInt32LE(((at % width) * 0x10101) & 0xffffff, at * 4);
  return Buffer.concat([head, pixels]);
}
