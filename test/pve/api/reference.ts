import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** One property as PVE's JSON schema has it; `minimum` may be a string. */
export interface Property {
  type?: string;
  optional?: number;
  format?: string | { [key: string]: Property };
  pattern?: string;
  enum?: (string | number)[];
  minimum?: number | string;
  maximum?: number | string;
  minLength?: number;
  maxLength?: number;
  requires?: string;
  default?: Json;
  default_key?: number;
  alias?: string;
  keyAlias?: string;
  items?: Property;
  properties?: { [key: string]: Property };
}

/** `["perm", "/vms/{vmid}", ["VM.Audit"], "any", 1]`, nested by `and` and `or`. */
export type Check = [string, ...(string | number | string[] | Check)[]];

export interface Method {
  parameters: { properties?: { [key: string]: Property }; additionalProperties?: number };
  returns: Property;
  permissions: { user?: string; check?: Check } | null;
  protected?: number;
  proxyto?: string | null;
}

/** The schema and the recordings stand beside the checkout in `shared/reference`. Undefined where they are absent. */
export function findReference(): string | undefined {
  let folder = import.meta.dirname;
  for (let depth = 0; depth < 12; depth++) {
    const candidate = join(folder, 'shared', 'reference');
    if (existsSync(join(candidate, 'pve-api.json'))) return candidate;
    if (dirname(folder) === folder) return undefined;
    folder = dirname(folder);
  }
  return undefined;
}

export function readSchema(reference: string): Record<string, Method> {
  return JSON.parse(readFileSync(join(reference, 'pve-api.json'), 'utf8')) as Record<string, Method>;
}
