import { networkOf, networksOfSite, siteOf } from '../networkOf.ts';

/** How much may be under way at once: in all, and for one network or site, so that one cannot take what is there for others. */
export class Places {
  readonly #max: { ofAll: number; ofOne: number };
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(max: { ofAll: number; ofOne: number }) {
    this.#max = max;
  }

  /** @returns what gives the place back, undefined when there is none */
  take(address: string): (() => void) | undefined {
    const { ofAll, ofOne } = this.#max;
    const network = networkOf(address);
    const site = siteOf(address);
    const isFull = (name: string, max: number) => (this.#taken.get(name) ?? 0) >= max;
    if (this.#all >= ofAll || isFull(network, ofOne)) return undefined;
    if (site !== undefined && isFull(site, networksOfSite * ofOne)) return undefined;
    const names = site === undefined ? [network] : [network, site];
    this.#all += 1;
    for (const name of names) this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
    return () => {
      this.#all -= 1;
      for (const name of names) this.#giveBack(name);
    };
  }

  #giveBack(name: string): void {
    const left = this.#taken.get(name)! - 1;
    if (left === 0) this.#taken.delete(name);
    else this.#taken.set(name, left);
  }
}
