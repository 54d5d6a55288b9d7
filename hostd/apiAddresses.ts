import { isFault } from '@lebureau/kit/fault';

const knownMax = 64;
const pattern = /^https:\/\/[^/@\s,]{1,193}$/;

/**
 * Where the API may be: what was configured or joined, and what the API itself said of its replicas. One is used for
 * everything until a call to it is not answered; then another one, chosen at random so that the nodes of a replica that
 * died do not all go to the same one. Who calls pauses between its tries, so this never does.
 */
export class ApiAddresses {
  readonly #configured: readonly string[];
  readonly #random: () => number;
  #known: readonly string[];
  #current: string;
  /** Those that did not answer since one last did. */
  readonly #dead = new Set<string>();
  readonly #calls = new Set<AbortController>();

  /** @param random in [0, 1) */
  constructor(at: { configured: readonly [string, ...string[]]; learned?: readonly string[]; random?: () => number }) {
    this.#configured = at.configured;
    this.#random = at.random ?? Math.random;
    this.#current = at.configured[0];
    this.#known = this.#configured;
    this.learn(at.learned ?? []);
  }

  get current(): string {
    return this.#current;
  }

  /** Those that the API named last; an empty list says nothing. @returns whether they are others than before */
  learn(addresses: readonly string[]): boolean {
    if (addresses.length === 0) return false;
    const good = addresses.filter((address) => pattern.test(address));
    const known = [...new Set([...this.#configured, ...good])].slice(0, knownMax);
    const isNew = known.join() !== this.#known.join();
    this.#known = known;
    return isNew;
  }

  /** This address did not answer. What still waits there is given up, so that all of it goes on elsewhere. */
  failed(address: string): void {
    this.#dead.add(address);
    if (address !== this.#current) return;
    const others = this.#known.filter((each) => each !== address);
    if (others.length === 0) return;
    let left = others.filter((each) => !this.#dead.has(each));
    if (left.length === 0) {
      this.#dead.clear();
      left = others;
    }
    this.#current = left[Math.floor(this.#random() * left.length)]!;
    for (const call of this.#calls) call.abort();
  }

  /** One call to the address that is used now. @throws Fault as the call does */
  async ask<Answer>(
    signal: AbortSignal,
    call: (address: string, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    const address = this.#current;
    const ending = new AbortController();
    const end = () => ending.abort();
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    this.#calls.add(ending);
    try {
      const answer = await call(address, ending.signal);
      this.#dead.clear();
      return answer;
    } catch (error) {
      if (isFault(error, 'api_unreachable')) this.failed(address);
      throw error;
    } finally {
      this.#calls.delete(ending);
      signal.removeEventListener('abort', end);
    }
  }
}
