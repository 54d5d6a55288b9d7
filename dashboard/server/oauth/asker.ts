import { AsyncLocalStorage } from 'node:async_hooks';

/** For whom something is fetched; the library that has it fetched knows nothing of it. */
export interface Asker {
  network: string;
  /** Somebody was let in already: the document of their client that was good last stands in while its host is away. */
  mayTakeKept: boolean;
}

export const asker = new AsyncLocalStorage<Asker>();
