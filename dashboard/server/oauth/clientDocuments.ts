import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { networkOf } from '../networkOf.ts';
import { Remembered } from '../remembered.ts';
import { asker } from './asker.ts';
import { Away } from './away.ts';
import type { OauthCalls } from './oauthCalls.ts';
import { Places } from './places.ts';

export interface ClientDocumentsParts {
  /** @throws Away, Error that says what was refused */
  fetch: (url: string) => Promise<Response>;
  calls: Pick<OauthCalls, 'save' | 'find' | 'forget'>;
  clock: Clock;
  log: Log;
}

type Fetched = { text: string; cacheControl: string } | { refused: Error };

/** How long one that was good last stands in while its host is away. */
const keptSeconds = 86_400;
/** Each for four seconds at most; somebody waits for one. */
const atOnceMax = { ofAll: 200, ofOne: 5 };
const rememberedMax = 500;
/** What stands in is asked for again soon; so long the library keeps it. */
const standInSeconds = 60;
const standInsMax = 1000;

/** The documents that client_ids name, for the library, which asks anew for one that it did not like, in the same breath. */
export class ClientDocuments {
  readonly #parts: ClientDocumentsParts;
  readonly #places = new Places(atOnceMax);
  readonly #recent: Remembered<Fetched>;
  /** URLs for which something stands in, and until when the library may have that. */
  readonly #standIns = new Map<string, number>();

  constructor(parts: ClientDocumentsParts) {
    this.#parts = parts;
    this.#recent = new Remembered(parts.clock, rememberedMax);
  }

  /** @throws Error that says what was refused */
  async get(url: string): Promise<Response> {
    const { network, mayTakeKept } = asker.getStore() ?? { network: 'nobody', mayTakeKept: false };
    const fetched = await this.#recent.get(url, () => this.#fetch(url, networkOf(network))).catch(refused);
    if (!('refused' in fetched)) {
      this.#standIns.delete(url);
      return responseOf(fetched);
    }
    const kept = mayTakeKept && fetched.refused instanceof Away ? await this.#keptOf(url) : undefined;
    if (kept === undefined || !this.#noteStandIn(url)) throw fetched.refused;
    return responseOf({ text: JSON.stringify(kept), cacheControl: `max-age=${standInSeconds}` });
  }

  /**
   * Whether what the library knows of this client is good for who asks now. It keeps what it was given for the token
   * endpoint: who keeps a host away could begin a request by a document that its host has taken back.
   */
  mayUse(url: string): boolean {
    return asker.getStore()?.mayTakeKept === true || !this.#standIns.has(url);
  }

  /** Noted until one comes from its host. @returns false when it cannot be */
  #noteStandIn(url: string): boolean {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#standIns.size >= standInsMax)
      for (const [each, untilMs] of this.#standIns) if (untilMs <= nowMs) this.#standIns.delete(each);
    if (this.#standIns.size >= standInsMax) return false;
    // Longer than the library has it, whose clock is another one.
    this.#standIns.set(url, nowMs + 2 * standInSeconds * 1000);
    return true;
  }

  /** What was refused is remembered; that there was no place is not. @throws Away when there is none */
  async #fetch(url: string, network: string): Promise<Fetched> {
    const leave = this.#places.take(network);
    if (leave === undefined) throw new Away('too many documents are being fetched; try again in a moment');
    try {
      const response = await this.#parts.fetch(url);
      const text = await response.text();
      await this.#note(url, isGood(url, text) ? (JSON.parse(text) as object) : undefined);
      return { text, cacheControl: response.headers.get('cache-control') ?? '' };
    } catch (error) {
      // Its host says that there is none any more, or none that is good: that is believed from now on.
      if (!(error instanceof Away)) await this.#note(url, undefined);
      return refused(error);
    } finally {
      leave();
    }
  }

  /** What its host says now takes the place of what it said before. */
  async #note(url: string, payload: object | undefined): Promise<void> {
    const { calls, log } = this.#parts;
    const noted =
      payload === undefined
        ? calls.forget('document', url)
        : calls.save('document', url, { grantId: null, payload, expiresInSeconds: keptSeconds });
    // It is good, or not, without that.
    await noted.catch((error: unknown) => log.warn('document not noted', { url, error: describeError(error) }));
  }

  async #keptOf(url: string): Promise<object | undefined> {
    const { calls, log } = this.#parts;
    const kept = await calls.find('document', url).catch(() => undefined);
    if (kept !== undefined) log.info('document of a client as it was last', { url });
    return kept?.payload;
  }
}

/** As the library judges it. */
function isGood(url: string, text: string): boolean {
  const said = JSON.parse(text) as Record<string, unknown>;
  return said['client_id'] === url && !('client_secret' in said) && said['token_endpoint_auth_method'] === 'none';
}

function refused(error: unknown): { refused: Error } {
  return { refused: error instanceof Error ? error : new Error(String(error)) };
}

function responseOf({ text, cacheControl }: { text: string; cacheControl: string }): Response {
  return new Response(text, { headers: { 'content-type': 'application/json', 'cache-control': cacheControl } });
}
