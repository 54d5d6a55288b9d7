import { connect, type Socket } from 'node:net';

/**
 * Asks for one page again and again over one connection, with as little work of its own as can be: what is measured is the
 * server, and a client that made objects would be heard in the slowest calls.
 */
export class Caller {
  private readonly socket: Socket;
  private readonly request: Buffer;
  private left = 0;
  private answered: () => void = () => {};
  private failure: Error | undefined;

  private constructor(socket: Socket, request: Buffer) {
    this.socket = socket;
    this.request = request;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  static async open(url: string, headers: Record<string, string>): Promise<Caller> {
    const { hostname, port, host, pathname, search } = new URL(url);
    const socket = connect(Number(port), hostname);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const lines = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    return new Caller(socket, Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`));
  }

  /** @returns when the whole answer has come. @throws Error for anything but 200 with a length. */
  async ask(): Promise<void> {
    const answer = new Promise<void>((resolve) => (this.answered = resolve));
    this.socket.write(this.request);
    await answer;
    if (this.failure !== undefined) throw this.failure;
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    if (this.left === 0) {
      const end = chunk.indexOf('\r\n\r\n');
      const head = chunk.toString('latin1', 0, Math.max(0, end));
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      if (!head.startsWith('HTTP/1.1 200') || length === undefined)
        return this.fail(new Error(`an unexpected answer: ${head.slice(0, 200)}`));
      this.left = Number(length) + end + 4;
    }
    this.left -= chunk.length;
    if (this.left <= 0) this.answered();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.answered();
  }
}
