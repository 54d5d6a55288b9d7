import { BudgetSpent } from './byteBudget.ts';
import { FrameReader, maskedHead, opcodes } from './frameReader.ts';
import { Gathered, type WholeMessages } from './gathered.ts';
import type { PlainSocket } from './plainSocket.ts';
import { closeCodes, type EndListener, sendableCode, type StreamEnd } from './streamEnd.ts';

/** The head of the answer, and what came behind it. */
export interface Switched {
  head: string;
  first: Buffer;
}

const closeLimitMs = 1_000;

/** A connection that a server switched to WebSocket, as one end of a stream. */
export class DialedEnd implements StreamEnd {
  readonly protocol: string | undefined;
  readonly #socket: PlainSocket;
  #first: Buffer | undefined;
  #whole: WholeMessages;
  #reader: FrameReader | undefined;
  /** Whoever listens wants a pause. */
  #paused = false;
  /** The server asks for pongs and does not take them: until it does, nothing more is read of it. */
  #pongsWait = false;
  #over = false;
  #cutOff: NodeJS.Timeout | undefined;

  constructor(socket: PlainSocket, { head, first }: Switched, whole: WholeMessages) {
    this.protocol = /\r\nsec-websocket-protocol: *([!-~]+)/i.exec(head)?.[1];
    this.#socket = socket;
    this.#first = first;
    this.#whole = whole;
  }

  listen(listener: EndListener): void {
    const end = (code: number, reason: string) => {
      if (this.#over) return;
      this.#finish();
      listener.closed(code, reason);
    };
    const whole = this.#whole;
    const bytes = (piece: Uint8Array) => this.#over || listener.bytes(piece);
    const handlers = {
      text: (text: string) => this.#over || listener.text(text),
      closed: end,
      ping: (payload: Buffer) => {
        if (this.#frame(opcodes.pong, payload)) return;
        this.#pongsWait = true;
        this.#flow();
      },
    };
    this.#reader = new FrameReader(
      { ...handlers, ...(whole.messageMaxBytes === undefined ? { bytes } : wholeMessages(bytes, whole)) },
      whole,
    );
    // With it came everything that was wished for.
    this.#whole = {};
    this.#socket.listen({
      data: (chunk) => this.#read(chunk, end),
      drained: () => {
        this.#pongsWait = false;
        this.#flow();
        listener.drained();
      },
      closed: () => {
        clearTimeout(this.#cutOff);
        end(closeCodes.unreachable, 'the connection broke');
      },
    });
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined && first.length > 0) this.#read(first, end);
    if (this.#socket.isClosed) end(closeCodes.unreachable, 'the connection broke');
    else this.#flow();
  }

  send(piece: Uint8Array): boolean {
    return this.#frame(opcodes.binary, piece);
  }

  sendText(text: string): boolean {
    return this.#frame(opcodes.text, Buffer.from(text));
  }

  pause(): void {
    this.#paused = true;
    this.#flow();
  }

  resume(): void {
    this.#paused = false;
    this.#flow();
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    const word = sendableCode(code);
    const payload = Buffer.concat([Buffer.from([word >> 8, word & 255]), Buffer.from(reason).subarray(0, 100)]);
    this.#frame(opcodes.close, payload);
    this.#finish();
  }

  #flow(): void {
    if (this.#over || !(this.#paused || this.#pongsWait)) this.#socket.resume();
    else this.#socket.pause();
  }

  /** What was sent last still arrives, unless nobody takes it. */
  #finish(): void {
    this.#over = true;
    this.#reader?.drop();
    const socket = this.#socket;
    if (socket.isClosed) return;
    this.#cutOff = setTimeout(() => socket.destroy(), closeLimitMs);
    socket.resume();
    socket.end();
  }

  #frame(opcode: number, payload: Uint8Array): boolean {
    return this.#over || this.#socket.write(maskedHead(opcode, payload.length), payload);
  }

  #read(chunk: Buffer, end: (code: number, reason: string) => void): void {
    if (this.#over) return;
    try {
      this.#reader!.read(chunk);
    } catch (error) {
      if (error instanceof BudgetSpent) end(closeCodes.crowded, 'too much unfinished at once');
      else end(closeCodes.failed, 'the node sent no WebSocket');
    }
  }
}

/** Gathers the pieces of each binary message. */
function wholeMessages(whole: (message: Uint8Array) => void, { messageMaxBytes = 0, messageBudget }: WholeMessages) {
  const gathered = new Gathered(messageMaxBytes, messageBudget);
  return {
    bytes: (piece: Buffer) => gathered.add(piece),
    messageEnded: () => whole(gathered.take()),
    dropped: () => gathered.drop(),
  };
}
