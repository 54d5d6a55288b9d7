import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../api/reference.ts';
import type { Version } from '../world/state.ts';

/** One exchange with a real daemon, as it was recorded. */
export interface Exchange {
  case: string;
  n: number;
  given?: string;
  request: { method: string; path: string; template: string; params: Record<string, Json>; as: string };
  response: { status: number; reason: string; contentType: string | null; body: Json };
  fold?: string;
  elapsedMs: number;
  atMs: number;
  note?: string;
  /** Which of the recorder's runs: between two of them the nodes were made anew. */
  run: string;
}

export function readCases(
  reference: string,
  version: Version,
): { name: string; given?: string; exchanges: Exchange[] }[] {
  const file = join(reference, 'pve-recordings', `shared-${version}.jsonl`);
  if (!existsSync(file)) return [];
  const cases = new Map<string, { name: string; given?: string; exchanges: Exchange[] }>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const exchange = JSON.parse(line) as Exchange;
    const one = cases.get(exchange.case) ?? { name: exchange.case, exchanges: [] };
    one.given ??= exchange.given;
    one.exchanges.push(exchange);
    cases.set(exchange.case, one);
  }
  return [...cases.values()];
}
