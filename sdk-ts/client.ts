import { Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { configFromEnvironment } from './config.ts';
import { Desktop } from './desktop.ts';
import { Desktops } from './desktops.ts';
import { Events } from './events.ts';
import { LeBureauError } from './faults.ts';
import { Keys } from './keys.ts';
import { Nodes } from './nodes.ts';
import { Templates } from './templates.ts';
import { type CallOptions, Transport } from './transport.ts';
import type { About, Me } from './types.ts';

export interface LeBureauOptions {
  /** Default: `LEBUREAU_API_KEY`. A function is asked before every call, for keys that live shortly. */
  apiKey?: string | (() => string | Promise<string>);
  /** Default: `LEBUREAU_BASE_URL`, else `http://127.0.0.1:7070`. */
  baseUrl?: string;
  /** Default: the runtime's. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** Of each try. Default 60,000; 0 is none. */
  timeoutMs?: number;
  /** Tries after the first. Default 2. */
  retriesMax?: number;
  /** Browsers do not let it be set. */
  userAgent?: string;
  /** An API key in a web page is everybody's key. Set this only for keys that live shortly. */
  allowBrowser?: boolean;
}

/** The client of the Le Bureau API. */
export class LeBureau {
  readonly desktops: Desktops;
  readonly templates: Templates;
  readonly nodes: Nodes;
  readonly keys: Keys;
  readonly events: Events;
  readonly #api: Api;

  constructor(options: LeBureauOptions = {}) {
    const environment = configFromEnvironment();
    const apiKey = options.apiKey ?? environment.apiKey;
    if (apiKey === undefined) throw new LeBureauError('No API key: set LEBUREAU_API_KEY or give `apiKey`');
    if (inBrowser() && !options.allowBrowser && typeof apiKey === 'string') {
      throw new LeBureauError('An API key must not be part of a web page: see `allowBrowser`');
    }
    this.#api = new Api(
      new Transport({
        baseUrl: (options.baseUrl ?? environment.baseUrl).replace(/\/+$/, ''),
        apiKey,
        fetch: options.fetch ?? ((url, init) => fetch(url, init)),
        timeoutMs: options.timeoutMs ?? 60_000,
        retriesMax: options.retriesMax ?? 2,
        userAgent: options.userAgent,
      }),
    );
    this.desktops = new Desktops(this.#api);
    this.templates = new Templates(this.#api);
    this.nodes = new Nodes(this.#api);
    this.keys = new Keys(this.#api);
    this.events = new Events(this.#api);
  }

  /** A desktop by its id, without asking the API whether it exists. */
  desktop(id: string): Desktop {
    return new Desktop(this.#api, id);
  }

  /** Who this key is and what it may do. */
  me(options?: CallOptions): ApiPromise<Me> {
    return answerOf(this.#api.client.GET('/v1/me', this.#api.with(options)));
  }

  about(options?: CallOptions): ApiPromise<About> {
    return answerOf(this.#api.client.GET('/v1/about', this.#api.with(options)));
  }
}

function inBrowser(): boolean {
  return 'window' in globalThis && 'document' in globalThis && !('Deno' in globalThis);
}
