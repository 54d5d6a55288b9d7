import type { Hash } from 'node:crypto';
import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { SftpSession } from './sftpSession.ts';

type WriteReceipt = components['schemas']['WriteReceipt'];

/** The hash of the first bytes of an upload. Good for one session: when that ends the guest itself may have crashed, and lost some. */
interface Hashed {
  hash: Hash;
  bytes: number;
  session: SftpSession;
}

interface Holder {
  stop: AbortController;
  over: Promise<void>;
}

interface Begun {
  temporary: string;
  expiresMs: number;
}

const unfinishedMax = 100;
const rememberedMax = 100;

/**
 * What is known of the uploads of one desktop besides what the guest holds, by the name of their file. Nothing of it is
 * needed to go on with one: it is lost with the process.
 */
export class UploadsUnderWay {
  readonly #holders = new Map<string, Holder>();
  readonly #begun = new Map<string, Begun>();
  readonly #hashed = new Map<string, Hashed>();
  readonly #goodBytes = new Map<string, number>();
  readonly #receipts = new Map<string, WriteReceipt>();

  /**
   * One at a time for each upload. Whoever has it is told to stop, such as a writer for a connection that is dead already,
   * and waited for.
   */
  async exclusively<Value>(name: string, work: (stop: AbortSignal) => Promise<Value>): Promise<Value> {
    for (let before = this.#holders.get(name); before !== undefined; before = this.#holders.get(name)) {
      before.stop.abort(new Fault('timeout', 'The upload goes on with another request.'));
      await before.over;
    }
    const stop = new AbortController();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    this.#holders.set(name, { stop, over });
    try {
      return await work(stop.signal);
    } finally {
      this.#holders.delete(name);
      end();
    }
  }

  /** @throws Fault rate_limited when there are too many. @returns the temporary files of those whose time is over */
  begin(name: string, begun: Begun, nowMs: number): string[] {
    const expired = [...this.#begun].filter(([other, { expiresMs }]) => expiresMs < nowMs && !this.#holders.has(other));
    for (const [other] of expired) this.forget(other);
    if (this.#begun.size >= unfinishedMax)
      throw new Fault('rate_limited', `The desktop has ${unfinishedMax} uploads that are not finished.`, {
        hint: 'Finish or cancel some.',
        retryAfterSeconds: 30,
      });
    this.#begun.set(name, begun);
    return expired.map(([, other]) => other.temporary);
  }

  renew(name: string, begun: Begun): void {
    if (this.#begun.has(name)) this.#begun.set(name, begun);
  }

  /** It is over, one way or the other. */
  forget(name: string): void {
    this.#begun.delete(name);
    this.#hashed.delete(name);
    this.#goodBytes.delete(name);
  }

  /** The hash of exactly so many first bytes, taken out: whoever goes on gives back the next one. */
  takeHash(name: string, bytes: number, session: SftpSession): Hash | undefined {
    const known = this.#hashed.get(name);
    this.#hashed.delete(name);
    return known?.bytes === bytes && known.session === session ? known.hash : undefined;
  }

  keepHash(name: string, hashed: Hashed): void {
    remember(this.#hashed, name, hashed);
  }

  /** How much of the file is whole, where it may have a hole behind that; else undefined. */
  goodBytes(name: string): number | undefined {
    return this.#goodBytes.get(name);
  }

  noteGoodBytes(name: string, bytes: number | undefined): void {
    if (bytes === undefined) this.#goodBytes.delete(name);
    else remember(this.#goodBytes, name, bytes);
  }

  /** What was answered when it was finished, for whoever did not hear it. */
  receipt(name: string): WriteReceipt | undefined {
    return this.#receipts.get(name);
  }

  keepReceipt(name: string, receipt: WriteReceipt): void {
    remember(this.#receipts, name, receipt);
  }
}

function remember<Value>(map: Map<string, Value>, name: string, value: Value): void {
  map.delete(name);
  map.set(name, value);
  const [oldest] = map.keys();
  if (map.size > rememberedMax && oldest !== undefined) map.delete(oldest);
}
