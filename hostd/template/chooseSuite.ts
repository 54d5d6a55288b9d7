import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { templatePaths, type TemplateFile } from './files.ts';
import { readRecipe } from './recipe.ts';
import { suites, type SuiteName } from './suites.ts';

const probeMaxMs = 3_000;
/** The product's suite first. */
const preference: readonly SuiteName[] = ['jammy', 'bookworm'];

/** A suite by its name; `auto`: the product's where its mirror answers; left out: the tested one. */
export type SuiteWish = SuiteName | 'auto' | undefined;

/**
 * The suite to build. Unless one is named a home keeps the suite it has, so that a mirror that comes and goes does not
 * change desktops. Only `auto` asks a mirror, for a moment.
 */
export async function chooseSuite(
  home: string,
  wish: SuiteWish,
  ask: { signal: AbortSignal; limitMs?: number; fetch?: (url: string, init: RequestInit) => Promise<Response> },
): Promise<SuiteName> {
  if (wish !== undefined && wish !== 'auto') return wish;
  const known = preference.find((suite) => existsSync(templatePaths(home, readRecipe(suite).templateId).folder));
  if (known !== undefined || wish === undefined) return known ?? 'bookworm';
  for (const suite of preference) if (await answers(suites[suite].probe, ask)) return suite;
  return 'bookworm';
}

/** What a template cannot do without. */
const wholeFiles = ['disk', 'vmlinux', 'initrd'] as const;

/** @returns undefined when there is no whole template of this id. */
export async function readTemplateFile(home: string, templateId: string): Promise<TemplateFile | undefined> {
  return (await templateDamage(home, templateId)) === undefined ? readDescription(home, templateId) : undefined;
}

/** @returns what is wrong with the folder of this template; undefined for a whole one. */
export async function templateDamage(home: string, templateId: string): Promise<string | undefined> {
  const paths = templatePaths(home, templateId);
  if ((await readDescription(home, templateId)) === undefined) return 'template.json is missing or damaged';
  for (const name of wholeFiles) {
    const size = await stat(paths[name]).then(
      (file) => file.size,
      () => 0,
    );
    if (size === 0) return `${paths[name].slice(paths.folder.length + 1)} is missing or empty`;
  }
  return undefined;
}

async function readDescription(home: string, templateId: string): Promise<TemplateFile | undefined> {
  try {
    const file = JSON.parse(await readFile(templatePaths(home, templateId).file, 'utf8')) as TemplateFile;
    return file.version === 1 && file.id === templateId ? file : undefined;
  } catch {
    return undefined;
  }
}

async function answers(url: string, ask: Parameters<typeof chooseSuite>[2]): Promise<boolean> {
  try {
    const response = await (ask.fetch ?? fetch)(url, {
      method: 'HEAD',
      signal: AbortSignal.any([ask.signal, AbortSignal.timeout(ask.limitMs ?? probeMaxMs)]),
    });
    return response.ok;
  } catch {
    ask.signal.throwIfAborted();
    return false;
  }
}

/** Removes what interrupted builds left behind. Call only while holding the lock of the templates folder. */
export async function leftovers(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.startsWith('.making-')).map((name) => join(folder, name));
  } catch {
    return [];
  }
}
