import { connect, type Socket } from 'node:net';
import { randomInt } from 'node:crypto';
import { AgentBroke, AgentDown, AgentRefused } from '../vm/machines.ts';

const answerMaxBytes = 64 * 1024 ** 2;

interface Answer {
  return?: unknown;
  error?: { desc?: string };
}

/** The QEMU guest agent behind a VM's own socket, as PVE speaks to it: one connection a command, synchronised first. */
export class GuestAgent {
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly path: string,
    private readonly timeoutMs: number,
  ) {}

  /** One after the other: QEMU serves one client of that socket at a time. */
  run(command: string, given: Record<string, unknown>): Promise<unknown> {
    const next = this.last.then(
      () => this.once(command, given),
      () => this.once(command, given),
    );
    this.last = next.catch(() => {});
    return next;
  }

  private async once(command: string, given: Record<string, unknown>): Promise<unknown> {
    const socket = await this.open();
    try {
      const lines = new Lines(socket, this.timeoutMs);
      const mark = randomInt(1, 2 ** 31);
      socket.write(`\xff${JSON.stringify({ execute: 'guest-sync', arguments: { id: mark } })}\n`, 'latin1');
      await lines.until((answer) => answer.return === mark);
      const clean = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      socket.write(`${JSON.stringify({ execute: command, arguments: clean })}\n`);
      const answer = await lines.until(() => true);
      if (answer.error === undefined) return answer.return;
      const text = answer.error.desc ?? 'unknown error';
      throw text.startsWith('Failed to execute child process') ? new AgentBroke(text) : new AgentRefused(text);
    } finally {
      socket.destroy();
    }
  }

  private open(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.path });
      socket.once('error', () => reject(new AgentDown()));
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        socket.on('error', () => socket.destroy());
        resolve(socket);
      });
    });
  }
}

class Lines {
  private text = '';
  private wake: () => void = () => {};
  private closed = false;

  constructor(
    socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.on('data', (piece: Buffer) => {
      this.text += piece.toString();
      if (this.text.length > answerMaxBytes) socket.destroy();
      this.wake();
    });
    socket.once('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  /** Answers to what somebody else asked before are passed over. */
  async until(wanted: (answer: Answer) => boolean): Promise<Answer> {
    const timer = setTimeout(() => {
      this.closed = true;
      this.wake();
    }, this.timeoutMs);
    try {
      for (;;) {
        const end = this.text.indexOf('\n');
        if (end >= 0) {
          const line = this.text.slice(0, end).replace(/^[^{]*/, '');
          this.text = this.text.slice(end + 1);
          const answer = parse(line);
          if (answer && wanted(answer)) return answer;
          continue;
        }
        if (this.closed) throw new AgentDown();
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function parse(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer;
  } catch {
    return undefined;
  }
}
