import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Joins two byte streams until both have ended or one breaks; then neither is left open. Each side is read only as fast
 * as the other one takes it, so nothing piles up here.
 */
export async function splice(a: Duplex, b: Duplex): Promise<void> {
  // Two pipelines listen on each side; together with its own that is more than the ten that count as a leak.
  for (const side of [a, b]) side.setMaxListeners(30);
  const cut = () => {
    a.destroy();
    b.destroy();
  };
  try {
    await Promise.all([pipeline(a, b), pipeline(b, a)]);
  } catch {
    // Whoever speaks over it sees the end; there is nobody else to tell.
  } finally {
    cut();
  }
}
