import { invalid } from './validate.ts';
import type { TSchema } from './schema.ts';

/** The query string as an object in the types that the schema wants; what it does not know is refused. */
export function parseQuery(schema: TSchema, url: string): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const mark = url.indexOf('?');
  if (mark < 0) return values;
  const properties = schema['properties'] as Record<string, TSchema>;
  for (const [name, text] of new URLSearchParams(url.slice(mark + 1))) {
    const property = properties[name];
    if (property === undefined)
      throw invalid([{ pointer: `/query/${name}`, code: 'unknown_member', message: 'no such parameter' }]);
    if (name in values) throw invalid([{ pointer: `/query/${name}`, code: 'repeated', message: 'given twice' }]);
    values[name] = coerce(property['type'], text);
  }
  return values;
}

function coerce(type: unknown, text: string): unknown {
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === '1')) return true;
  if (type === 'boolean' && (text === 'false' || text === '0')) return false;
  return text;
}
