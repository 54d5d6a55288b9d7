import { LeBureau, type LeBureauOptions } from '../client.ts';
import type { DesktopStatus, Me } from '../types.ts';
import { FakeDesktop } from './fakeDesktop.ts';
import { fakeRoutes } from './fakeRoutes.ts';
import { FakeProblem } from './problem.ts';

export type Capability = Me['capabilities'][number];

const everything: Capability[] = [
  'desktop:read',
  'desktop:view',
  'desktop:lifecycle',
  'desktop:control',
  'desktop:chat',
  'desktop:create',
  'desktop:destroy',
  'files:read',
  'files:write',
  'events:read',
  'keys:write',
  'nodes:read',
  'metrics:read',
];

export interface FakeOptions {
  /** Of the one key. Default: all. */
  capabilities?: Capability[];
  /** How long a desktop takes to start and to stop. Default 0. */
  bootMs?: number;
}

/** A request that the fake got. */
export interface FakeCall {
  method: string;
  path: string;
  headers: Headers;
}

/**
 * The API in memory, for tests of programs that use the SDK: `const { client } = new Fake()`. It keeps the contract's
 * shapes and errors, and has no VM. `fetch` can also be served by any web server.
 */
export class Fake {
  readonly apiKey = 'lb_live_fake';
  readonly capabilities: ReadonlySet<Capability>;
  readonly desktops = new Map<string, FakeDesktop>();
  readonly calls: FakeCall[] = [];
  readonly #bootMs: number;
  readonly #faults: (FakeProblem | Error)[] = [];
  readonly #replays = new Map<string, Promise<Response>>();
  #ids = 0;

  constructor(options: FakeOptions = {}) {
    this.capabilities = new Set(options.capabilities ?? everything);
    this.#bootMs = options.bootMs ?? 0;
  }

  /** A client of this fake. */
  client(options: Omit<LeBureauOptions, 'fetch'> = {}): LeBureau {
    return new LeBureau({
      apiKey: this.apiKey,
      baseUrl: 'http://fake.invalid',
      ...options,
      fetch: (url, init) => this.fetch(new Request(url, init)),
    });
  }

  /** The next requests fail with these, one each: a problem by status and code, or a broken connection. */
  failNext(...faults: ({ status: number; code: string; [member: string]: unknown } | Error)[]): void {
    for (const fault of faults) {
      if (fault instanceof Error) this.#faults.push(fault);
      else {
        const { status, code, ...members } = fault;
        this.#faults.push(new FakeProblem(status, code, members));
      }
    }
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    this.calls.push({ method: request.method, path: url.pathname + url.search, headers: request.headers });
    const requestId = this.newId('req');
    const response = await this.#answer(request, url).catch((error: unknown) => {
      if (error instanceof FakeProblem) return error.toResponse(requestId);
      throw error;
    });
    response.headers.set('x-request-id', requestId);
    return response;
  };

  newId(prefix: string): string {
    return `${prefix}_${String(++this.#ids).padStart(26, '0')}`;
  }

  /** Goes through `via` to `goal`, after the time that this fake takes for it. */
  walk(desktop: FakeDesktop, via: DesktopStatus, goal: DesktopStatus): void {
    desktop.become(via);
    if (this.#bootMs === 0) desktop.become(goal);
    else setTimeout(() => desktop.become(goal), this.#bootMs);
  }

  async #answer(request: Request, url: URL): Promise<Response> {
    const fault = this.#faults.shift();
    if (fault) throw fault;
    if (request.headers.get('authorization') !== `Bearer ${this.apiKey}`) throw new FakeProblem(401, 'unauthenticated');
    const idempotencyKey = request.headers.get('idempotency-key');
    if (request.method !== 'POST' || idempotencyKey === null) return await this.#route(request, url);
    const known = this.#replays.get(idempotencyKey);
    if (known) return (await known).clone() as Response;
    const answer = this.#route(request, url);
    this.#replays.set(idempotencyKey, answer);
    answer.catch(() => this.#replays.delete(idempotencyKey));
    return (await answer).clone() as Response;
  }

  /** As the API decides it: who may use a screen may watch it. */
  #allows(wanted: Capability): boolean {
    return this.capabilities.has(wanted) || (wanted === 'desktop:view' && this.capabilities.has('desktop:control'));
  }

  async #route(request: Request, url: URL): Promise<Response> {
    for (const [method, path, capability, handle] of fakeRoutes) {
      const match = method === request.method ? path.exec(url.pathname) : null;
      if (!match) continue;
      if (capability !== 'key' && !this.#allows(capability)) {
        throw new FakeProblem(403, 'capability_missing', { capability, detail: `The key lacks ${capability}.` });
      }
      const id = match[1];
      const desktop = id === undefined ? undefined : this.desktops.get(id);
      if (id !== undefined && !desktop)
        throw new FakeProblem(404, 'not_found', { detail: 'There is no such desktop.' });
      return await handle({ fake: this, desktop: desktop as FakeDesktop, query: url.searchParams, request });
    }
    throw new FakeProblem(404, 'not_found');
  }
}
