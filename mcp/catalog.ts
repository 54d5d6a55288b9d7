import type { Settings } from './settings.ts';
import type { Capability, Schema, Tool } from './tool.ts';
import { computerTools } from './tools/computer.ts';
import { desktopTools } from './tools/desktops.ts';
import { execTools } from './tools/exec.ts';
import { fileTools } from './tools/files.ts';
import { localFileTools } from './tools/localFiles.ts';

export const allTools: readonly Tool[] = [
  ...desktopTools,
  ...computerTools,
  ...execTools,
  ...fileTools,
  ...localFileTools,
];

/** The tools that the settings let through and the key may use. */
export function chooseTools(settings: Settings, capabilities: ReadonlySet<Capability>): Tool[] {
  return allTools.filter((tool) => {
    if (!settings.toolsets.has(tool.toolset) || !allows(capabilities, tool.capability)) return false;
    if (settings.readOnly && !tool.effect.readOnly) return false;
    if (tool.local && settings.localRoots.length === 0) return false;
    // With one desktop pinned there is nothing to list or to make.
    return settings.desktopId === undefined || tool.onDesktop;
  });
}

/** As the API decides it: who may use a screen may watch it. */
function allows(held: ReadonlySet<Capability>, wanted: Capability): boolean {
  return held.has(wanted) || (wanted === 'desktop:view' && held.has('desktop:control'));
}

const desktopId: Schema = { type: 'string', pattern: '^dsk_[0-9a-z]{26}$' };
const confirmToken: Schema = { type: 'string', maxLength: 500, description: 'From the answer that asked for it' };

/** The input schema as callers see it. */
export function inputSchemaOf(tool: Tool, pinned: boolean): Schema {
  const named = tool.onDesktop && !pinned;
  return {
    type: 'object',
    properties: { ...(named ? { desktopId } : {}), ...tool.input, ...(tool.confirm ? { confirmToken } : {}) },
    required: [...(named ? ['desktopId'] : []), ...(tool.required ?? [])],
    additionalProperties: false,
  };
}
