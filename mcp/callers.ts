import { LeBureau } from '@lebureau/sdk';
import { ApiError } from '@lebureau/sdk/faults';
import type { Clock } from '@lebureau/kit/clock';
import { callerOf } from './confirmToken.ts';
import type { Caller } from './runTool.ts';
import type { Capability } from './tool.ts';

export interface KnownCaller extends Caller {
  capabilities: ReadonlySet<Capability>;
}

interface Entry {
  known: Promise<KnownCaller>;
  expiresMs: number;
}

/** What a key may do is asked again after this; every call of a tool is checked by the API anyway. */
const lifetimeMs = 30_000;
const entriesMax = 1000;

/** The callers of the HTTP server: a client and the capabilities for each key, without a question to the API at every call. */
export class Callers {
  readonly #baseUrl: string;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(baseUrl: string, clock: Clock) {
    this.#baseUrl = baseUrl;
    this.#clock = clock;
  }

  /** @returns undefined for a key that the API does not take. @throws LeBureauError when the API cannot be asked. */
  async find(apiKey: string): Promise<KnownCaller | undefined> {
    const id = callerOf(apiKey);
    const nowMs = this.#clock.nowMs();
    let entry = this.#entries.get(id);
    if (!entry || entry.expiresMs <= nowMs) {
      entry = { known: introduce(this.#baseUrl, apiKey), expiresMs: nowMs + lifetimeMs };
      this.#entries.delete(id);
      this.#entries.set(id, entry);
      entry.known.catch(() => this.#entries.delete(id));
      this.#trim();
    }
    return await entry.known.catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return undefined;
      throw error;
    });
  }

  #trim(): void {
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= entriesMax) return;
      this.#entries.delete(id);
    }
  }
}

/** Asks the API who the key is. @throws LeBureauError */
export async function introduce(baseUrl: string, apiKey: string): Promise<KnownCaller> {
  const bureau = new LeBureau({ apiKey, baseUrl });
  const me = await bureau.me({ timeoutMs: 10_000 });
  return { bureau, id: callerOf(apiKey), capabilities: new Set(me.capabilities) };
}
