import { type Scope, type Source, listViewsById } from './store.ts';
import type { Status } from './status.ts';
import { nodeSilentMs, toWire } from './view.ts';

/** What names the present shape of a desktop: its version, its end, which uses move, and when its node was last heard. */
export interface DesktopHead {
  id: string;
  version: number;
  expiresMs: number | null;
  heardMs: number;
}

export interface WireText {
  id: string;
  status: Status;
  /** The desktop as JSON. */
  text: string;
}

interface Kept extends WireText {
  version: number;
  expiresMs: number | null;
  heard: boolean;
}

const keptMax = 5000;

/** Desktops as JSON text, good as long as their version is: a list is mostly what it was the last time. */
export class WireCache {
  readonly #kept = new Map<string, Kept>();

  /** The texts of these desktops, in their order; only those that changed are read and written anew. */
  async textsOf(
    source: Source,
    scope: Scope,
    page: { heads: readonly DesktopHead[]; nowMs: number },
  ): Promise<WireText[]> {
    const { heads, nowMs } = page;
    const isHeard = (head: DesktopHead) => nowMs - head.heardMs < nodeSilentMs;
    const fresh = (head: DesktopHead) => {
      const kept = this.#kept.get(head.id);
      return kept?.version === head.version && kept.expiresMs === head.expiresMs && kept.heard === isHeard(head);
    };
    const missing = heads.filter((head) => !fresh(head));
    const read = new Map<string, WireText>();
    if (missing.length > 0) {
      const ids = missing.map((head) => head.id);
      for (const view of await listViewsById(source, scope, ids)) {
        const wire = toWire(view, nowMs);
        const kept: Kept = {
          id: view.id,
          status: wire.status,
          text: JSON.stringify(wire),
          version: view.version,
          expiresMs: view.expiresMs,
          heard: isHeard(view),
        };
        read.set(view.id, kept);
        this.#keep(view.id, kept);
      }
    }
    return heads.map((head) => read.get(head.id) ?? this.#kept.get(head.id)).filter((each) => each !== undefined);
  }

  #keep(id: string, kept: Kept): void {
    this.#kept.delete(id);
    if (this.#kept.size >= keptMax)
      for (const oldest of [...this.#kept.keys()].slice(0, keptMax / 10)) this.#kept.delete(oldest);
    this.#kept.set(id, kept);
  }
}
