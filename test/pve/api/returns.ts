import type { Json, Property } from './reference.ts';

/** Where the real daemons answer otherwise than the schema says, as recorded. */
const corrected: Record<string, Property> = {
  'GET /cluster/nextid': { type: 'string' },
  'GET /cluster/options': { type: 'object' },
  'POST /nodes/{node}/qemu/{vmid}/vncproxy': { type: 'object' },
  'GET /nodes/{node}/tasks': { type: 'array' },
  // One line, or a list of one, for a task that is not there.
  'GET /nodes/{node}/tasks/{upid}/log': {},
  'GET /cluster/tasks': { type: 'array' },
  'GET /access/permissions': { type: 'object' },
  // Numbers stay numbers in `value`.
  'GET /nodes/{node}/qemu/{vmid}/pending': { type: 'array' },
};

export class BadReturn extends Error {}

/** The double's own answers against `returns`: a wrong one is a bug of the double and is not hidden. */
export function checkReturns(name: string, returns: Property | undefined, data: Json): void {
  const property = corrected[name] ?? returns;
  if (property === undefined) return;
  const wrong = mismatch(property, data, 'data');
  if (wrong !== undefined) throw new BadReturn(`${name} answers what its schema does not allow: ${wrong}`);
}

function mismatch(property: Property, data: Json, at: string): string | undefined {
  switch (property.type) {
    case 'null':
      return data === null ? undefined : `${at} is not null`;
    case 'string':
      return typeof data === 'string' || data === null ? undefined : `${at} is no string`;
    case 'integer':
    case 'number':
    case 'boolean':
      // Perl keeps no types: numbers appear as text in many answers.
      return typeof data === 'number' || typeof data === 'boolean' || /^-?\d+(?:\.\d+)?$/.test(String(data))
        ? undefined
        : `${at} is no number`;
    case 'array':
      return inArray(property, data, at);
    case 'object':
      return inObject(property, data, at);
    default:
      return undefined;
  }
}

function inArray(property: Property, data: Json, at: string): string | undefined {
  if (!Array.isArray(data)) return `${at} is no array`;
  if (property.items === undefined) return undefined;
  for (const [index, item] of data.entries()) {
    const wrong = mismatch(property.items, item, `${at}[${index}]`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function inObject(property: Property, data: Json, at: string): string | undefined {
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return `${at} is no object`;
  for (const [key, one] of Object.entries(property.properties ?? {})) {
    const value = data[key];
    if (value === undefined || value === null) continue;
    const wrong = mismatch(one, value, `${at}.${key}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
