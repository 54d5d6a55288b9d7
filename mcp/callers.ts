import { LeBureau } from '@lebureau/sdk';
import { ApiError } from '@lebureau/sdk/faults';
import type { Clock } from '@lebureau/kit/clock';
import { callerOf } from './confirmToken.ts';
import type { Caller } from './runTool.ts';
import type { Capability } from './tool.ts';

export interface KnownCaller extends Caller {
  capabilities: ReadonlySet<Capability>;
  credential: Credential;
}

/** What the caller comes with now. The gateway speaks for an OAuth client with assertions that live for a minute. */
interface Credential {
  bearer: string;
}

interface Entry {
  known: Promise<KnownCaller>;
  expiresMs: number;
}

/** What a key may do is asked again after this; every call of a tool is checked by the API anyway. */
const lifetimeMs = 30_000;
const entriesMax = 1000;

/** The callers of the HTTP server: a client and the capabilities for each bearer, without a question to the API at every call. */
export class Callers {
  readonly #baseUrl: string;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  /** By who it is, in the order of use: a session goes on with the newest assertion of its grant. */
  readonly #credentials = new Map<string, Pick<KnownCaller, 'bureau' | 'credential'>>();

  constructor(baseUrl: string, clock: Clock) {
    this.#baseUrl = baseUrl;
    this.#clock = clock;
  }

  /** @returns undefined for a bearer that the API does not take. @throws LeBureauError when the API cannot be asked. */
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
    const known = await entry.known.catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 401) return undefined;
      throw error;
    });
    return known && this.#shared(known, apiKey);
  }

  #shared(known: KnownCaller, bearer: string): KnownCaller {
    const { bureau, credential } = this.#credentials.get(known.id) ?? known;
    credential.bearer = bearer;
    this.#credentials.delete(known.id);
    this.#credentials.set(known.id, { bureau, credential });
    return { ...known, bureau, credential };
  }

  #trim(): void {
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= entriesMax) break;
      this.#entries.delete(id);
    }
    for (const id of this.#credentials.keys()) {
      if (this.#credentials.size <= entriesMax) return;
      this.#credentials.delete(id);
    }
  }
}

/** Asks the API who it is. @throws LeBureauError */
export async function introduce(baseUrl: string, apiKey: string): Promise<KnownCaller> {
  const credential = { bearer: apiKey };
  const bureau = new LeBureau({ apiKey: () => credential.bearer, baseUrl });
  const me = await bureau.me({ timeoutMs: 10_000 });
  const id = me.grant === null ? callerOf(apiKey) : `grant ${me.grant.id}`;
  return { bureau, id, capabilities: new Set(me.capabilities), credential };
}
