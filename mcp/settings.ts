import { isId } from '@lebureau/kit/id';
import { type Toolset, toolsets } from './tool.ts';

/** What is shown of the tools. */
export interface Settings {
  toolsets: ReadonlySet<Toolset>;
  readOnly: boolean;
  /** Every tool works on this desktop, and `desktopId` is in no schema. */
  desktopId: string | undefined;
  /** Folders of this machine that the tools may read and write. */
  localRoots: readonly string[];
}

/** As text: from flags, variables, headers or the query of the address. */
export interface SettingsText {
  toolsets?: string | undefined;
  readOnly?: string | undefined;
  desktop?: string | undefined;
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export const everything: Settings = {
  toolsets: new Set(toolsets),
  readOnly: false,
  desktopId: undefined,
  localRoots: [],
};

/**
 * Settings within the bounds of others: a request takes away from what the server was started with and never adds.
 * @throws SettingsError
 */
export function narrow(bounds: Settings, text: SettingsText): Settings {
  const wanted = text.toolsets === undefined || text.toolsets === 'all' ? [...toolsets] : text.toolsets.split(',');
  const chosen = new Set<Toolset>();
  for (const name of wanted.map((word) => word.trim()).filter(Boolean)) {
    const toolset = toolsets.find((one) => one === name);
    if (!toolset) throw new SettingsError(`There is no toolset "${name}": choose from ${toolsets.join(', ')}`);
    if (bounds.toolsets.has(toolset)) chosen.add(toolset);
  }
  return {
    toolsets: chosen,
    readOnly: bounds.readOnly || flag('read-only', text.readOnly),
    desktopId: pinned(bounds.desktopId, text.desktop),
    localRoots: bounds.localRoots,
  };
}

function flag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false;
  if (text === 'true' || text === '') return true;
  throw new SettingsError(`${name} wants true or false`);
}

function pinned(bound: string | undefined, text: string | undefined): string | undefined {
  if (text === undefined) return bound;
  if (!isId('dsk', text)) throw new SettingsError(`"${text}" is no id of a desktop`);
  if (bound !== undefined && bound !== text) throw new SettingsError(`This server is pinned to another desktop`);
  return text;
}
