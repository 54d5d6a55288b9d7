import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { networkOf } from '../networkOf.ts';
import { Remembered } from '../remembered.ts';
import { asker } from './asker.ts';
import { Away } from './away.ts';
import { NoPlace } from './noPlace.ts';
import type { OauthCalls } from './oauthCalls.ts';
import { Places } from './places.ts';

export interface ClientDocumentsParts {
  /** @throws Away, Error that says what was refused */
  fetch: (url: string) => Promise<Response>;
  calls: Pick<OauthCalls, 'save' | 'find' | 'forget'>;
  clock: Clock;
  log: Log;
}

type Said = Record<string, unknown>;
type Fetched = { said: Said; cacheControl: string } | { refused: Error };

/** How long one that was good last stands in while its host is away. */
const keptSeconds = 86_400;
/** Each for four seconds at most; somebody waits for one. */
const atOnceMax = { ofAll: 200, ofOne: 5 };
const rememberedMax = 500;

/** The documents that client_ids name, for the library, which asks anew for one that it did not like, in the same breath. */
export class ClientDocuments {
  readonly #parts: ClientDocumentsParts;
  /** Apart, so that those who begin do not keep those waiting who were let in. */
  readonly #places = { begin: new Places(atOnceMax), goOn: new Places(atOnceMax) };
  readonly #recent: Remembered<Fetched>;
  /** What is being fetched, by who waits for it: many of one network take one place, and nobody waits for another's. */
  readonly #underWay = new Map<string, Promise<Fetched>>();

  constructor(parts: ClientDocumentsParts) {
    this.#parts = parts;
    this.#recent = new Remembered(parts.clock, rememberedMax);
  }

  /**
   * What the host says now, and nothing else: the library keeps it for a while, and shares it with all who ask meanwhile.
   * @throws NoPlace, Error that says what was refused
   */
  async get(url: string): Promise<Response> {
    const fetched = await this.#fetched(url);
    if ('refused' in fetched) throw fetched.refused;
    return Response.json(fetched.said, { headers: { 'cache-control': fetched.cacheControl } });
  }

  /**
   * For a client that somebody let in, while it gets its tokens: what its host says, or what it said last while it is away.
   * It is of this call alone. Kept with what is shared, it would be there for who asks to be let in, too; and what they
   * wait for would be there for a client that can go on without.
   * @returns undefined for what is no such client_id, and where nobody was let in yet
   * @throws NoPlace, Error that says what was refused
   */
  async ofKnown(clientId: string): Promise<object | undefined> {
    if (asker.getStore()?.mayTakeKept !== true || !isDocumentUrl(clientId)) return undefined;
    const fetched = await this.#fetched(clientId);
    const said = 'refused' in fetched ? await this.#standInFor(clientId, fetched.refused) : fetched.said;
    if (!isGood(clientId, said)) throw new Error('it is not the document of a public client of that client_id');
    return said;
  }

  /** @throws what was refused, where nothing may stand in */
  async #standInFor(url: string, why: Error): Promise<Said> {
    const kept = why instanceof Away ? await this.#keptOf(url) : undefined;
    if (kept === undefined) throw why;
    return kept;
  }

  /** @throws NoPlace, which says nothing of the document and is not remembered */
  #fetched(url: string): Promise<Fetched> {
    const { network, mayTakeKept } = asker.getStore() ?? { network: 'nobody', mayTakeKept: false };
    const way = mayTakeKept ? 'goOn' : 'begin';
    const name = `${way} ${networkOf(network)} ${url}`;
    return this.#recent.get(url, () => {
      const same = this.#underWay.get(name);
      if (same !== undefined) return same;
      const fetched = this.#fetch(url, this.#placeFor(network, way)).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, fetched);
      return fetched;
    });
  }

  /** @returns what gives it back @throws NoPlace */
  #placeFor(network: string, way: 'begin' | 'goOn'): () => void {
    const leave = this.#places[way].take(network);
    if (leave === undefined) throw new NoPlace('too many documents are being fetched; try again in a moment');
    return leave;
  }

  async #fetch(url: string, leave: () => void): Promise<Fetched> {
    try {
      const response = await this.#parts.fetch(url);
      const said = (await response.json()) as Said;
      await this.#note(url, isGood(url, said) ? said : undefined);
      return { said, cacheControl: response.headers.get('cache-control') ?? '' };
    } catch (error) {
      // Its host says that there is none any more, or none that is good: that is believed from now on.
      if (!(error instanceof Away)) await this.#note(url, undefined);
      return { refused: error instanceof Error ? error : new Error(String(error)) };
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

  async #keptOf(url: string): Promise<Said | undefined> {
    const { calls, log } = this.#parts;
    const kept = await calls.find('document', url).catch(() => undefined);
    if (kept !== undefined) log.info('document of a client as it was last', { url });
    return kept?.payload;
  }
}

/**
 * As the library judges a client_id that names a document, and more strictly: in the one spelling of that URL. Another
 * spelling is left to the library, and nothing stands in for it.
 */
function isDocumentUrl(clientId: string): boolean {
  const url = clientId.includes('#') ? null : URL.parse(clientId);
  return url?.href === clientId && url.protocol === 'https:' && url.username === '' && url.password === '';
}

/** As the library judges what it fetched. */
function isGood(url: string, said: Said): boolean {
  return said['client_id'] === url && !('client_secret' in said) && said['token_endpoint_auth_method'] === 'none';
}
