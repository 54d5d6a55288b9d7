export interface WithResponse<Data> {
  data: Data;
  response: Response;
  /** Name it when you report a problem. */
  requestId: string | null;
}

/** A promise of the answer's data that can also hand out the HTTP response. The request starts at once. */
export class ApiPromise<Data> extends Promise<Data> {
  readonly #full: Promise<WithResponse<Data>>;

  constructor(full: Promise<WithResponse<Data>>) {
    super((resolve, reject) => {
      full.then((answer) => resolve(answer.data), reject);
    });
    this.#full = full;
  }

  /** `then` makes plain promises: what is derived from the data has no response of its own. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  withResponse(): Promise<WithResponse<Data>> {
    this.#handOver();
    return this.#full;
  }

  /** The same answer with its data turned into something else. */
  map<Next>(change: (data: Data) => Next): ApiPromise<Next> {
    this.#handOver();
    return new ApiPromise(this.#full.then((answer) => ({ ...answer, data: change(answer.data) })));
  }

  /** A failure is reported by the promise handed out from here on, so this one must not count as unhandled. */
  #handOver(): void {
    this.catch(() => {});
  }
}
