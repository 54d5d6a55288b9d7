import { Fault } from '@lebureau/kit/fault';
import type { InitExecRequest, InitExecResult } from './channel.ts';
import { decodeFields } from './fields.ts';
import type { Frame } from './frame.ts';
import { GrowingBuffer } from './growingBuffer.ts';
import { messageType, readError } from './messages.ts';

const stdinWindowBytes = 64 * 1024;
const stdinChunkBytes = 32 * 1024;

/** One running command: collects its output within the limit and feeds it stdin as far as the guest gave credit. */
export class Execution {
  readonly result: Promise<InitExecResult>;
  readonly #request: InitExecRequest;
  readonly #send: (type: number, payload: Uint8Array) => void;
  readonly #output: readonly [GrowingBuffer, GrowingBuffer];
  #stdinSent = 0;
  #stdinAllowed = stdinWindowBytes;
  #truncated = false;
  #resolve!: (result: InitExecResult) => void;
  #reject!: (reason: unknown) => void;

  constructor(request: InitExecRequest, send: (type: number, payload: Uint8Array) => void) {
    this.#request = request;
    this.#send = send;
    this.#output = [new GrowingBuffer(request.outputMaxBytes), new GrowingBuffer(request.outputMaxBytes)];
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Call once after the exec message was sent. */
  feed(): void {
    const input = this.#request.stdin;
    if (!input || this.#stdinSent > input.length) return;
    while (this.#stdinSent < input.length) {
      const count = Math.min(stdinChunkBytes, input.length - this.#stdinSent, this.#stdinAllowed);
      if (count === 0) return;
      this.#send(messageType.stdin, input.subarray(this.#stdinSent, this.#stdinSent + count));
      this.#stdinSent += count;
      this.#stdinAllowed -= count;
    }
    this.#stdinSent = input.length + 1;
    this.#send(messageType.stdinEnd, new Uint8Array());
  }

  take(frame: Frame): void {
    if (frame.type === messageType.stdout) this.#collect(0, frame.payload);
    else if (frame.type === messageType.stderr) this.#collect(1, frame.payload);
    else if (frame.type === messageType.credit) this.#credit(frame.payload);
    else if (frame.type === messageType.exit) this.#exit(frame.payload);
    else if (frame.type === messageType.error) this.#error(frame.payload);
  }

  fail(reason: unknown): void {
    this.#reject(reason);
  }

  #collect(which: 0 | 1, payload: Uint8Array): void {
    if (!this.#output[which].append(payload)) this.#truncated = true;
  }

  #credit(payload: Uint8Array): void {
    const bytes = Number(decodeFields(payload).get('bytes'));
    if (!Number.isInteger(bytes) || bytes <= 0) return;
    this.#stdinAllowed = Math.min(this.#stdinAllowed + bytes, stdinWindowBytes);
    this.feed();
  }

  #exit(payload: Uint8Array): void {
    const fields = decodeFields(payload);
    const code = Number(fields.get('code'));
    this.#finish(Number.isInteger(code) && code >= 0 && code <= 255 ? code : 255, {
      timedOut: fields.get('timedOut') === '1',
      truncated: fields.get('truncated') === '1',
    });
  }

  /** What could not be started ends as in a shell: 127 (126 without the right to) and the reason on stderr. */
  #error(payload: Uint8Array): void {
    const { code, detail } = readError(payload);
    if (code !== 'spawn_failed')
      return this.#reject(new Fault('guest_unreachable', `the guest refused the command: ${detail}`));
    const stderr = Buffer.from(`${this.#request.argv[0] ?? ''}: ${detail}\n`);
    this.#finish(detail.includes('Permission denied') ? 126 : 127, { timedOut: false, truncated: false, stderr });
  }

  #finish(exitCode: number, how: { timedOut: boolean; truncated: boolean; stderr?: Buffer }): void {
    this.#resolve({
      stdout: this.#output[0].take(),
      stderr: how.stderr ?? this.#output[1].take(),
      exitCode,
      timedOut: how.timedOut,
      truncated: how.truncated || this.#truncated,
    });
  }
}
