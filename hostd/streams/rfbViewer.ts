import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { closeCodes, type EndListener, type StreamEnd } from '@lebureau/kit/streamEnd';
import type { ControlLeases } from './controlLeases.ts';
import { RfbFilter } from './rfbFilter.ts';
import { RfbGreeting } from './rfbGreeting.ts';

export interface RfbViewerParts {
  /** The hypervisor's display, logged in, at the place behind ServerInit, paused. */
  display: Duplex;
  /** What the server said after its ServerInit. */
  rest: Buffer;
  init: Buffer;
  assignmentId: string;
  leases: ControlLeases;
  /** A viewer that only looks never writes, whatever it holds. */
  mode: 'view' | 'control';
  clock: Clock;
}

const greetingLimitMs = 10_000;

/**
 * One person's view of a screen: an RFB connection of its own to the hypervisor, of which everything is seen, and to which
 * only what the control lease allows is said. Beside it, as text: who holds control, to everybody and at each change; and
 * from the viewer the token by which it holds it.
 */
export class RfbViewer implements StreamEnd {
  readonly #parts: RfbViewerParts;
  readonly #filter: RfbFilter;
  #greeting: RfbGreeting | undefined;
  #listener: EndListener | undefined;
  #unwatch: () => void = () => {};
  #leaseToken: string | undefined;
  #wrote = false;
  /** It wrote since it got control last. */
  #holds = false;
  #full = false;
  #over = false;
  readonly #left = new AbortController();

  constructor(parts: RfbViewerParts) {
    this.#parts = parts;
    this.#filter = new RfbFilter({
      pass: (bytes) => {
        if (!parts.display.write(Buffer.from(bytes))) this.#full = true;
      },
      mayWrite: () => this.#mayWrite(),
    });
  }

  listen(listener: EndListener): void {
    this.#listener = listener;
    const { display, rest, init, leases, assignmentId } = this.#parts;
    display.on('data', (piece: Buffer) => listener.bytes(piece));
    display.on('drain', () => {
      this.#full = false;
      listener.drained();
    });
    display.on('error', () => {});
    display.on('close', () => this.#end(closeCodes.unreachable, 'the display closed the connection'));
    this.#unwatch = leases.watch(assignmentId, () => this.#controlChanged());
    if (display.destroyed) return this.#end(closeCodes.unreachable, 'the display closed the connection');
    this.#greeting = new RfbGreeting({ send: (bytes) => listener.bytes(bytes), init });
    if (rest.length > 0) display.unshift(rest);
    this.#limitGreeting();
    this.#tellControl();
  }

  send(piece: Uint8Array): boolean {
    if (this.#over) return true;
    try {
      this.#take(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    } catch {
      this.#end(closeCodes.malformed, 'that is no RFB');
    }
    return !this.#full;
  }

  sendText(text: string): boolean {
    const token = leaseTokenIn(text);
    if (token === undefined) {
      this.#end(closeCodes.malformed, 'that text is not understood');
      return true;
    }
    this.#leaseToken = token;
    this.#tellControl();
    return !this.#full;
  }

  pause(): void {
    this.#parts.display.pause();
  }

  resume(): void {
    if (this.#greeting === undefined) this.#parts.display.resume();
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#left.abort();
    this.#unwatch();
    if (this.#wrote) this.#filter.release();
    const { display } = this.#parts;
    display.end(() => display.destroy());
    display.resume();
  }

  #take(bytes: Buffer): void {
    if (this.#greeting === undefined) return this.#filter.take(bytes);
    const rest = this.#greeting.take(bytes);
    if (rest === undefined) return;
    this.#greeting = undefined;
    this.#left.abort();
    this.#parts.display.resume();
    this.#filter.take(rest);
  }

  /** Displays take few connections: nobody holds one without using it. */
  #limitGreeting(): void {
    void this.#parts.clock.sleep(greetingLimitMs, this.#left.signal).then(() => {
      if (this.#greeting !== undefined) this.#end(closeCodes.malformed, 'no RFB handshake');
    });
  }

  #mayWrite(): boolean {
    const { mode, leases, assignmentId } = this.#parts;
    if (mode !== 'control' || !leases.holds(assignmentId, this.#leaseToken)) return false;
    leases.touch(assignmentId);
    if (!this.#holds) this.#filter.pointerIsElsewhere();
    this.#holds = true;
    this.#wrote = true;
    return true;
  }

  #controlChanged(): void {
    const { leases, assignmentId } = this.#parts;
    this.#holds &&= leases.holds(assignmentId, this.#leaseToken);
    if (this.#wrote && !leases.holds(assignmentId, this.#leaseToken)) this.#filter.release();
    this.#tellControl();
  }

  #tellControl(): void {
    const { leases, assignmentId, mode } = this.#parts;
    const isYours = mode === 'control' && leases.holds(assignmentId, this.#leaseToken);
    this.#listener?.text(JSON.stringify({ type: 'control', ...leases.of(assignmentId), isYours }));
  }

  #end(code: number, reason: string): void {
    if (this.#over) return;
    this.close();
    this.#listener?.closed(code, reason);
  }
}

/** `{"type":"control","leaseToken":"…"}` */
function leaseTokenIn(text: string): string | undefined {
  try {
    const { type, leaseToken } = JSON.parse(text) as Record<string, unknown>;
    return type === 'control' && typeof leaseToken === 'string' && leaseToken.length <= 100 ? leaseToken : undefined;
  } catch {
    return undefined;
  }
}
