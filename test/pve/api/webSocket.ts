import { createHash } from 'node:crypto';
import { Duplex } from 'node:stream';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const frameMaxBytes = 16 * 1024 ** 2;

export function acceptHeaders(key: string, protocol: string | undefined): string {
  const accept = createHash('sha1')
    .update(key + guid)
    .digest('base64');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
  ];
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The bytes inside a WebSocket of the server's side: binary frames out, any data frames in. */
export function overWebSocket(socket: Duplex): Duplex {
  let buffered = Buffer.alloc(0);
  const inside = new Duplex({
    read: () => socket.resume(),
    write: (piece: Buffer, _encoding, done) => void socket.write(frame(2, piece), () => done()),
    final: (done) => {
      socket.end(frame(8, Buffer.from([3, 0xe8])));
      done();
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (piece: Buffer) => {
    buffered = Buffer.concat([buffered, piece]);
    for (let one = parse(buffered); one !== undefined; one = parse(buffered)) {
      buffered = buffered.subarray(one.length);
      if (one.opcode === 8) {
        socket.end(frame(8, one.payload));
        inside.push(null);
        return;
      }
      if (one.opcode === 9) socket.write(frame(10, one.payload));
      else if (one.opcode <= 2 && !inside.push(one.payload)) socket.pause();
    }
  });
  socket.on('close', () => inside.destroy());
  socket.on('error', () => inside.destroy());
  return inside;
}

function frame(opcode: number, payload: Buffer): Buffer {
  const length = payload.length;
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = length;
  else if (length < 65_536) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

function parse(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const masked = ((bytes[1] ?? 0) & 0x80) !== 0;
  let size = (bytes[1] ?? 0) & 0x7f;
  let at = 2;
  if (size === 126) {
    if (bytes.length < 4) return undefined;
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return undefined;
    size = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (size > frameMaxBytes) throw new Error('frame too large');
  const start = at + (masked ? 4 : 0);
  if (bytes.length < start + size) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + size));
  if (masked)
    for (let byte = 0; byte < size; byte++) payload[byte] = (payload[byte] ?? 0) ^ (bytes[at + (byte & 3)] ?? 0);
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload, length: start + size };
}
