import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { templatePaths, type TemplateFile } from './files.ts';
import { readRecipe } from './recipe.ts';
import { suites, type SuiteName } from './suites.ts';

const probeMaxMs = 8_000;
/** The product's suite first. */
const preference: readonly SuiteName[] = ['jammy', 'bookworm'];

/**
 * The suite to build: what this home has already (so that a mirror that comes and goes does not change desktops), else
 * the first whose mirror answers, else the last, whose build then says what is wrong.
 * An untested suite is taken only when it is asked for by name.
 */
export async function chooseSuite(home: string, signal: AbortSignal): Promise<SuiteName> {
  const present = await presentSuites(home);
  const candidates = preference.filter((name) => !suites[name].untested);
  const known = preference.find((name) => present.has(name));
  if (known) return known;
  for (const name of candidates) if (await answers(suites[name].probe, signal)) return name;
  return 'bookworm';
}

async function presentSuites(home: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const suite of preference) {
    const { templateId } = readRecipe(suite);
    if (await readTemplateFile(home, templateId)) found.add(suite);
  }
  return found;
}

/** @returns undefined when there is no whole template of this id. */
export async function readTemplateFile(home: string, templateId: string): Promise<TemplateFile | undefined> {
  try {
    const file = JSON.parse(await readFile(templatePaths(home, templateId).file, 'utf8')) as TemplateFile;
    return file.version === 1 && file.id === templateId ? file : undefined;
  } catch {
    return undefined;
  }
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      signal: AbortSignal.any([signal, AbortSignal.timeout(probeMaxMs)]),
    });
    return response.ok;
  } catch {
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
