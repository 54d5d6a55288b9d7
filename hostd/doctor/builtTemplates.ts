import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A template that hostd/template built, as its folder tells. */
export interface BuiltTemplate {
  folder: string;
  id: string;
  name: string;
  builtAtMs: number;
  kernelArgs: string;
  diskMiB: number;
}

/** Newest first. */
export function builtTemplates(home: string): BuiltTemplate[] {
  const root = join(home, 'templates');
  const found = namesIn(root).flatMap((name) => {
    const file = readTemplate(join(root, name, 'template.json'));
    return file === undefined || file.id !== name ? [] : [{ ...file, folder: join(root, name) }];
  });
  return found.toSorted((a, b) => b.builtAtMs - a.builtAtMs);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readTemplate(path: string): Omit<BuiltTemplate, 'folder'> | undefined {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<BuiltTemplate> & { diskVirtualGiB?: number };
    const { id, name = '', builtAtMs = 0, kernelArgs } = file;
    if (id === undefined || kernelArgs === undefined || !/^tpl_[0-9a-z]{26}$/.test(id)) return undefined;
    return { id, name, builtAtMs, kernelArgs, diskMiB: (file.diskVirtualGiB ?? 8) * 1024 };
  } catch {
    return undefined;
  }
}
