import type { TSchema } from '../http/schema.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** The schema as plain JSON Schema 2020-12: symbols gone, unions of words as `enum`, nullable simple types as a list. */
export function plain(schema: TSchema): JsonObject {
  return simplify(JSON.parse(JSON.stringify(schema)) as JsonObject) as JsonObject;
}

function simplify(node: Json): Json {
  if (Array.isArray(node)) return node.map(simplify);
  if (node === null || typeof node !== 'object') return node;
  const result: JsonObject = {};
  for (const [name, value] of Object.entries(node)) result[name] = simplify(value);
  const { anyOf, ...rest } = result;
  if (!Array.isArray(anyOf)) return patternRecord(result);
  const parts = anyOf as JsonObject[];
  if (parts.every((part) => typeof part['const'] === 'string'))
    return { ...rest, type: 'string', enum: parts.map((part) => part['const']!) };
  const [first, second] = parts;
  if (
    parts.length === 2 &&
    second?.['type'] === 'null' &&
    typeof first?.['type'] === 'string' &&
    first['enum'] === undefined
  ) {
    return { ...first, ...rest, type: [first['type'], 'null'] };
  }
  return result;
}

/** A record is told by `additionalProperties` and `propertyNames`, which every generator of types understands. */
function patternRecord(node: JsonObject): JsonObject {
  const { patternProperties, ...rest } = node;
  if (patternProperties === undefined) return node;
  const [[pattern, value] = []] = Object.entries(patternProperties as JsonObject);
  if (pattern === undefined) return node;
  const names: JsonObject = pattern === '^(.*)$' ? {} : { propertyNames: { pattern } };
  return { ...rest, additionalProperties: value!, ...names };
}

/** Replaces every schema that equals a named one by a reference to it. */
export class Components {
  readonly #names = new Map<string, string>();
  readonly #used = new Map<string, JsonObject>();

  constructor(named: Readonly<Record<string, TSchema>>) {
    for (const [name, schema] of Object.entries(named)) this.#names.set(JSON.stringify(plain(schema)), name);
  }

  /** The schema with references inside; a named one becomes a reference itself. */
  refer(schema: TSchema): JsonObject {
    return this.#walk(plain(schema)) as JsonObject;
  }

  /** Those that were referred to, by name in alphabetic order. */
  used(): JsonObject {
    return Object.fromEntries([...this.#used].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #walk(node: Json): Json {
    if (node === null || typeof node !== 'object') return node;
    if (Array.isArray(node)) return node.map((item) => this.#walk(item));
    const name = this.#names.get(JSON.stringify(node));
    if (name === undefined) return this.#inside(node);
    if (!this.#used.has(name)) {
      this.#used.set(name, {});
      this.#used.set(name, this.#inside(node));
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  #inside(node: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, this.#walk(value)]));
  }
}
