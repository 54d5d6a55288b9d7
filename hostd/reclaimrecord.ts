import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFileMissing } from './home.ts';
import type { Entrusted } from './orphans.ts';
import { replaceDurably } from './replaceDurably.ts';

/** Where hostd keeps which VMs an API entrusted to it. */
export interface ReclaimRecord {
  /** Undefined before anything was written. */
  read(): Entrusted | undefined;
  /** It is on the disk when this returns. */
  write(entrusted: Entrusted): void;
}

/** How an operator says that what the API of now does not know may go. */
export const consentHint =
  'If the API lost nothing that matters, remove reclaim.json from LEBUREAU_HOME and restart hostd: then VMs without an order are reclaimed.';

/** The file `reclaim.json` of this home. One that cannot be read stands for an unknown API: nothing is reclaimed. */
export function reclaimRecordOf(home: string): ReclaimRecord {
  const path = join(home, 'reclaim.json');
  let written: string | undefined;
  return {
    read: () => {
      try {
        return parse(readFileSync(path, 'utf8'));
      } catch (error) {
        if (isFileMissing(error)) return undefined;
        throw error;
      }
    },
    write: (entrusted) => {
      const text = JSON.stringify({ ...entrusted, entrusted: [...entrusted.entrusted].toSorted() });
      if (text === written) return;
      replaceDurably(path, text);
      written = text;
    },
  };
}

function parse(text: string): Entrusted {
  try {
    const { nodeId, entrusted, newest } = JSON.parse(text) as Record<string, unknown>;
    if (typeof nodeId === 'string' && typeof newest === 'string' && Array.isArray(entrusted))
      return { nodeId, newest, entrusted: new Set(entrusted.map(String)) };
  } catch {
    // Not what is written here.
  }
  return { nodeId: 'unreadable', newest: '', entrusted: new Set() };
}
