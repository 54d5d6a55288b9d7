import { createCipheriv, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';

/** VNC's DES turns each byte of the key around. */
export function vncResponse(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'latin1').copy(key);
  const turned = Buffer.from(
    key.map((byte) => Number.parseInt(byte.toString(2).padStart(8, '0').split('').reverse().join(''), 2)),
  );
  const cipher = createCipheriv('des-ecb', turned, null);
  cipher.setAutoPadding(false);
  return cipher.update(challenge);
}

/**
 * What QEMU does with a password set: RFB 3.8, security type 2, a challenge. Behind a good answer the machine's own RFB
 * server, which asks for nothing, goes on from its security result. @returns when either side ended.
 */
export async function spliceWithPassword(client: Duplex, machine: Duplex, password: string): Promise<void> {
  const toClient = new Reader(client);
  const toMachine = new Reader(machine);
  try {
    client.write('RFB 003.008\n');
    await toClient.take(12);
    client.write(Buffer.from([1, 2]));
    const [chosen] = await toClient.take(1);
    const challenge = randomBytes(16);
    client.write(challenge);
    const answer = await toClient.take(16);
    if (chosen !== 2 || !answer.equals(vncResponse(challenge, password))) return refuse(client);
    await toMachine.take(12);
    machine.write('RFB 003.008\n');
    const [count = 0] = await toMachine.take(1);
    await toMachine.take(count);
    machine.write(Buffer.from([1]));
  } catch {
    client.destroy();
    machine.destroy();
    return;
  }
  await relay([client, toClient], [machine, toMachine]);
}

function refuse(client: Duplex): void {
  const reason = Buffer.from('Authentication failed');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(1, 0);
  head.writeUInt32BE(reason.length, 4);
  client.end(Buffer.concat([head, reason]));
}

async function relay([client, fromClient]: [Duplex, Reader], [machine, fromMachine]: [Duplex, Reader]): Promise<void> {
  fromClient.pipe(machine);
  fromMachine.pipe(client);
  await new Promise<void>((resolve) => {
    for (const side of [client, machine]) {
      side.once('close', resolve);
      side.once('end', resolve);
      side.once('error', () => resolve());
    }
  });
  client.destroy();
  machine.destroy();
}

/** Takes so many bytes off a stream; what came beyond them stays for later. */
class Reader {
  private buffered = Buffer.alloc(0);
  private wake: () => void = () => {};
  private ended = false;
  private readonly onData = (piece: Buffer) => {
    this.buffered = Buffer.concat([this.buffered, piece]);
    this.wake();
  };
  private readonly onEnd = () => {
    this.ended = true;
    this.wake();
  };

  constructor(private readonly stream: Duplex) {
    stream.on('data', this.onData);
    stream.once('close', this.onEnd);
    stream.once('end', this.onEnd);
    stream.on('error', this.onEnd);
  }

  async take(count: number): Promise<Buffer> {
    while (this.buffered.length < count) {
      if (this.ended) throw new Error('the stream ended');
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const taken = this.buffered.subarray(0, count);
    this.buffered = this.buffered.subarray(count);
    return taken;
  }

  pipe(to: Duplex): void {
    this.stream.off('data', this.onData);
    if (this.buffered.length > 0) to.write(this.buffered);
    this.stream.pipe(to);
  }
}
