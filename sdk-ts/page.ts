import type { WithResponse } from './apiPromise.ts';

/** One page of a list, and the way to the next. */
export class Page<Item> implements AsyncIterable<Item> {
  readonly data: Item[];
  readonly nextCursor: string | null;
  readonly #fetchPage: FetchPage<Item>;

  constructor(answer: PageAnswer<Item>, fetchPage: FetchPage<Item>) {
    this.data = answer.data;
    this.nextCursor = answer.nextCursor;
    this.#fetchPage = fetchPage;
  }

  get hasNext(): boolean {
    return this.nextCursor !== null;
  }

  /** @returns the page after this one, or null at the end. */
  async next(): Promise<Page<Item> | null> {
    if (this.nextCursor === null) return null;
    return new Page((await this.#fetchPage(this.nextCursor)).data, this.#fetchPage);
  }

  /** Every item from this page to the end of the list. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    yield* this.data;
    for (let page = await this.next(); page; page = await page.next()) yield* page.data;
  }
}

export interface PageAnswer<Item> {
  data: Item[];
  nextCursor: string | null;
}

export type FetchPage<Item> = (cursor: string | undefined) => Promise<WithResponse<PageAnswer<Item>>>;

/** Await it for the first page, or iterate it for every item of all pages. */
export class PagePromise<Item> extends Promise<Page<Item>> implements AsyncIterable<Item> {
  readonly #full: Promise<WithResponse<Page<Item>>>;

  constructor(fetchPage: FetchPage<Item>) {
    const full = fetchPage(undefined).then((answer) => ({ ...answer, data: new Page(answer.data, fetchPage) }));
    super((resolve, reject) => {
      full.then((answer) => resolve(answer.data), reject);
    });
    this.#full = full;
  }

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  withResponse(): Promise<WithResponse<Page<Item>>> {
    // A failure is reported by the promise handed out here, so this one must not count as unhandled.
    this.catch(() => {});
    return this.#full;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    yield* await this;
  }
}
