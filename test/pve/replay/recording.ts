import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

export interface Case {
  name: string;
  given?: string;
  exchanges: Exchange[];
}

/** Every recording of this version (`*-8.4.jsonl`), case by case in the order of the files; what stands twice counts once. */
export function readCases(reference: string, version: Version): Case[] {
  const folder = join(reference, 'pve-recordings');
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(`-${version}.jsonl`));
  const cases = new Map<string, Case>();
  for (const file of files.toSorted()) {
    for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
      if (line !== '') addExchange(cases, JSON.parse(line) as Exchange);
    }
  }
  return [...cases.values()];
}

function addExchange(cases: Map<string, Case>, exchange: Exchange): void {
  const one = cases.get(exchange.case) ?? { name: exchange.case, exchanges: [] };
  cases.set(exchange.case, one);
  if (one.exchanges.some((other) => other.n === exchange.n)) return;
  one.given ??= exchange.given;
  one.exchanges.push(exchange);
}
