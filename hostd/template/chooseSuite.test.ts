import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chooseSuite, type SuiteWish } from './chooseSuite.ts';
import { templatePaths } from './files.ts';
import { readRecipe } from './recipe.ts';
import type { SuiteName } from './suites.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lb-suite-'));
});
afterEach(() => rmSync(home, { recursive: true }));

/** @param answering what the URL of a mirror that answers contains. */
async function choose(wish: SuiteWish, answering: string[] = []): Promise<{ suite: SuiteName; asked: string[] }> {
  const asked: string[] = [];
  const fetch = (url: string) => {
    asked.push(new URL(url).host);
    if (!answering.some((part) => url.includes(part))) return Promise.reject(new Error('unreachable'));
    return Promise.resolve(new Response());
  };
  return { suite: await chooseSuite(home, wish, { signal: new AbortController().signal, fetch }), asked };
}

test('the tested suite is taken, and nobody is asked', async () => {
  expect(await choose(undefined, ['ubuntu', 'debian'])).toEqual({ suite: 'bookworm', asked: [] });
  expect(await choose('bookworm', ['ubuntu'])).toEqual({ suite: 'bookworm', asked: [] });
  expect(await choose('jammy')).toEqual({ suite: 'jammy', asked: [] });
});

test("auto takes the product's suite where its mirror answers", async () => {
  expect(await choose('auto', ['ubuntu'])).toEqual({ suite: 'jammy', asked: ['archive.ubuntu.com'] });
  expect((await choose('auto', ['debian'])).suite).toBe('bookworm');
  expect((await choose('auto')).suite).toBe('bookworm');
});

test.each(['jammy', 'bookworm'] as const)('a home keeps %s, which it has', async (suite) => {
  mkdirSync(templatePaths(home, readRecipe(suite).templateId).folder, { recursive: true });
  expect(await choose('auto', ['ubuntu', 'debian'])).toEqual({ suite, asked: [] });
  expect((await choose(undefined)).suite).toBe(suite);
  expect((await choose('bookworm')).suite).toBe('bookworm');
});

test('a mirror that never answers holds nobody up', async () => {
  const began = performance.now();
  const stuck = (_url: string, init: RequestInit) =>
    new Promise<Response>((_resolve, reject) =>
      init.signal?.addEventListener('abort', () => reject(new Error('late'))),
    );
  const stop = new AbortController();
  expect(await chooseSuite(home, 'auto', { signal: stop.signal, limitMs: 30, fetch: stuck })).toBe('bookworm');
  expect(performance.now() - began).toBeLessThan(2_000);
  setTimeout(() => stop.abort(new Error('interrupted')), 30);
  await expect(chooseSuite(home, 'auto', { signal: stop.signal, fetch: stuck })).rejects.toThrow('interrupted');
});
