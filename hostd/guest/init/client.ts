import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { GuestIdentity, InitChannel, InitExecRequest, InitExecResult, InitHealth } from './channel.ts';
import { Execution } from './execution.ts';
import { decodeFields, encodeFields } from './fields.ts';
import { encodeFrame, FrameReader, type Frame } from './frame.ts';
import { GuestSocket } from './guestSocket.ts';
import {
  clockMessage,
  execMessage,
  identifyMessage,
  messageType,
  readElapsedMs,
  readError,
  readHealth,
} from './messages.ts';

const pendingMax = 256;
/** A guest that sends this many broken frames in one connection is given up. */
const brokenMax = 1000;
/** While more than this waits for a guest that reads slowly, it is asked nothing new. */
const unreadMaxBytes = 2 * 2 ** 20;
/** What was asked before may add its stdin; beyond this the guest gives credit for what it never reads. */
const unreadLimitBytes = 8 * 2 ** 20;
const helloEveryMs = 500;
const helloTimerMax = 2400;
/** What the exit of a command may take longer than its own limit. */
const execGraceMs = 5000;
const wayMaxMs = 50;
/** A guest whose identify was longer on its way, there and back, is told the time again. */
const clockLateMaxMs = 60;

interface Pending {
  take(frame: Frame): void;
  fail(reason: unknown): void;
}

/** Opens the protocol on a fresh connection; the guest may answer much later. The client owns the stream. */
export function openInitChannel(stream: Duplex, clock: Clock): InitClient {
  return new InitClient(stream, clock);
}

export class InitClient implements InitChannel {
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  readonly #session = randomBytes(12).toString('hex');
  readonly #closed = new AbortController();
  readonly #greeted: Promise<void>;
  #greet!: () => void;
  #isGreeted = false;
  #helloSentMs = 0;
  #wayMs = 0;
  #lastStream = 0;
  #end: Fault | undefined;

  constructor(stream: Duplex, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    this.#greeted = new Promise((resolve) => (this.#greet = resolve));
    stream.on('data', (chunk: Uint8Array) => this.#read(Buffer.from(chunk)));
    stream.on('error', (error) => this.#finish('the channel to the guest broke', error));
    stream.on('close', () => this.#finish('the channel to the guest closed'));
    stream.on('end', () => this.#finish('the channel to the guest closed'));
    void this.#sayHello();
  }

  async health(timeoutMs: number): Promise<InitHealth> {
    return readHealth((await this.#ask(messageType.health, () => Buffer.alloc(0), timeoutMs)).payload);
  }

  async identify(identity: GuestIdentity, timeoutMs: number): Promise<void> {
    const calledMs = this.#clock.monotonicMs();
    let sentMs = calledMs;
    const clockMs = () => {
      sentMs = this.#clock.monotonicMs();
      return identity.clockMs + sentMs - calledMs + this.#wayMs;
    };
    const answer = await this.#ask(messageType.identify, () => identifyMessage(identity, clockMs()), timeoutMs);
    // The guest adds what it took itself; a message that was long on its way leaves its clock late.
    const onTheWayMs = this.#clock.monotonicMs() - sentMs - readElapsedMs(answer.payload);
    if (onTheWayMs < clockLateMaxMs) return;
    await this.#ask(messageType.identify, () => clockMessage(identity, clockMs()), timeoutMs);
  }

  /** Makes the guest forget its identity: the last thing before a template's memory is saved. */
  async forget(timeoutMs: number): Promise<void> {
    await this.#ask(messageType.forget, () => Buffer.alloc(0), timeoutMs);
  }

  async exec(request: InitExecRequest): Promise<InitExecResult> {
    request.signal?.throwIfAborted();
    const message = execMessage(request);
    await this.#whenGreeted(request.timeoutMs);
    request.signal?.throwIfAborted();
    const stream = this.#newStream();
    const execution = new Execution(request, (type, payload) => this.#send(type, stream, payload));
    const abort = () => {
      this.#send(messageType.kill, stream, new Uint8Array());
      execution.fail(request.signal?.reason);
    };
    const late = setTimeout(() => {
      this.#send(messageType.kill, stream, new Uint8Array());
      execution.fail(unanswered('a command'));
    }, request.timeoutMs + execGraceMs);
    request.signal?.addEventListener('abort', abort, { once: true });
    this.#pending.set(stream, execution);
    this.#send(messageType.exec, stream, message);
    execution.feed();
    try {
      return await execution.result;
    } finally {
      clearTimeout(late);
      request.signal?.removeEventListener('abort', abort);
      this.#pending.delete(stream);
    }
  }

  async connect(path: string, timeoutMs: number): Promise<Duplex> {
    await this.#whenGreeted(timeoutMs);
    const stream = this.#newStream();
    const send = (type: number, payload: Uint8Array) => this.#send(type, stream, payload);
    const socket = new GuestSocket({ send, onEnd: () => this.#pending.delete(stream) });
    this.#pending.set(stream, { take: (frame) => socket.receive(frame), fail: (reason) => socket.fail(reason) });
    this.#send(messageType.connect, stream, encodeFields([['path', path]]));
    const late = setTimeout(() => socket.destroy(unanswered('a connection')), timeoutMs);
    try {
      await socket.opened;
    } finally {
      clearTimeout(late);
    }
    return socket;
  }

  close(): void {
    this.#finish('the channel was closed');
  }

  async #ask(type: number, message: () => Buffer, timeoutMs: number): Promise<Frame> {
    const untilMs = this.#clock.monotonicMs() + timeoutMs;
    await this.#whenGreeted(timeoutMs);
    const stream = this.#newStream();
    const payload = message();
    return new Promise<Frame>((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#pending.delete(stream);
        settle();
      };
      const fail = (reason: unknown) => finish(() => reject(reason));
      const timer = setTimeout(() => fail(unanswered('a question')), Math.max(0, untilMs - this.#clock.monotonicMs()));
      const take = (frame: Frame) => {
        if (frame.type === (type | messageType.answer)) finish(() => resolve(frame));
        else if (frame.type === messageType.error) fail(refused(frame));
      };
      this.#pending.set(stream, { take, fail });
      this.#send(type, stream, payload);
    });
  }

  async #whenGreeted(timeoutMs: number): Promise<void> {
    if (this.#end) throw this.#end;
    if (this.#isGreeted) return;
    const timeout = new AbortController();
    const late = this.#clock.sleep(timeoutMs, AbortSignal.any([timeout.signal, this.#closed.signal]));
    await Promise.race([this.#greeted, late]);
    timeout.abort();
    if (this.#end) throw this.#end;
    if (!this.#isGreeted) throw unanswered('the greeting');
  }

  /** A guest that boots opens its end late, so the greeting is sent again until it is answered. */
  async #sayHello(): Promise<void> {
    for (let i = 0; i < helloTimerMax && !this.#isGreeted && !this.#end; i++) {
      this.#helloSentMs = this.#clock.monotonicMs();
      this.#stream.write(Buffer.from([0]));
      this.#send(messageType.hello, 0, encodeFields([['session', this.#session]]));
      await Promise.race([this.#greeted, this.#clock.sleep(helloEveryMs, this.#closed.signal)]);
    }
  }

  #newStream(): number {
    if (this.#end) throw this.#end;
    if (this.#pending.size >= pendingMax) {
      throw new Fault('guest_unreachable', `${pendingMax} questions to the guest are unanswered`, {
        retryAfterSeconds: 1,
      });
    }
    if (this.#stream.writableLength > unreadMaxBytes) {
      throw new Fault('guest_unreachable', 'the guest does not read what it is asked', { retryAfterSeconds: 1 });
    }
    this.#lastStream = (this.#lastStream % 0xffff_ffff) + 1;
    return this.#lastStream;
  }

  #send(type: number, stream: number, payload: Uint8Array): void {
    if (this.#end) return;
    this.#stream.write(encodeFrame({ type, stream, payload }));
    if (this.#stream.writableLength > unreadLimitBytes) this.#finish('the guest does not read what it is sent');
  }

  #read(chunk: Buffer): void {
    if (this.#end) return;
    for (const frame of this.#reader.read(chunk)) {
      if (frame.type === (messageType.hello | messageType.answer)) this.#readHello(frame);
      else if (this.#isGreeted) this.#pending.get(frame.stream)?.take(frame);
    }
    if (this.#reader.broken > brokenMax) this.#finish('the guest sent garbage');
  }

  #readHello(frame: Frame): void {
    if (decodeFields(frame.payload).get('session') === this.#session) {
      if (this.#isGreeted) return;
      this.#wayMs = Math.min((this.#clock.monotonicMs() - this.#helloSentMs) / 2, wayMaxMs);
      this.#isGreeted = true;
      this.#greet();
    } else if (this.#isGreeted) {
      // The init program started anew: it knows nothing of what was asked before.
      this.#failAll(new Fault('guest_unreachable', 'the init program of the guest restarted'));
    }
  }

  #failAll(reason: Fault): void {
    for (const pending of [...this.#pending.values()]) pending.fail(reason);
    this.#pending.clear();
  }

  #finish(why: string, cause?: unknown): void {
    if (this.#end) return;
    this.#end = new Fault('guest_unreachable', why, { cause });
    this.#closed.abort();
    this.#failAll(this.#end);
    this.#stream.destroy();
  }
}

function unanswered(what: string): Fault {
  return new Fault('guest_unreachable', `the guest did not answer ${what} in time`);
}

function refused(frame: Frame): Fault {
  const { code, detail } = readError(frame.payload);
  return new Fault('guest_unreachable', `the guest answered ${code}: ${detail}`);
}
