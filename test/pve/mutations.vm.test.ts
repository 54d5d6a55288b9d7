import { describe, expect, it } from 'vitest';
import { findReference, type Json, type JsonObject, type Property } from './api/reference.ts';
import { propertyOf } from './api/verify.ts';
import { Conversation } from './conversation.ts';
import { readCases, type Exchange } from './replay/recording.ts';

const reference = findReference();
const missing = 'property is missing and it is not optional';
const additional = 'property is not defined in schema and the schema does not allow additional properties';

interface Mutation {
  params: Record<string, Json>;
  errors: Record<string, string>;
}

/** What the recorded refusals (err-param-*, err-task-log-range, err-vmid-bad) say of one wrong value. */
function wrongValues(name: string, property: Property): [Json, string][] {
  const { type, minimum, maximum, maxLength, format } = property;
  if (type === 'boolean') return [['maybe', "type check ('boolean') failed - got 'maybe'"]];
  if (type === 'integer') {
    const values: [Json, string][] = [['x', "type check ('integer') failed - got 'x'"]];
    if (format !== undefined) return values;
    if (minimum !== undefined) {
      values.push([Number(minimum) - 1, `value must have a minimum value of ${minimum}`]);
    }
    if (maximum !== undefined) {
      values.push([Number(maximum) + 1, `value must have a maximum value of ${maximum}`]);
    }
    return values;
  }
  if (property.enum) {
    const list = property.enum.join(', ');
    return [['no-such', `value 'no-such' does not have a value in the enumeration '${list}'`]];
  }
  const plain = type === 'string' && maxLength !== undefined && format === undefined && property.pattern === undefined;
  return plain ? [['a'.repeat(maxLength + 1), `value may only be ${maxLength} characters long`]] : [];
}

/** Each parameter left out or made wrong, one unknown, and all that is wrong at once. */
function* mutationsOf(given: Record<string, Json>, properties: Record<string, Property>): Generator<Mutation> {
  const inPath = new Set(['node', 'vmid', 'upid', 'snapname', 'poolid', 'storage', 'name', 'cidr', 'pos', 'group']);
  const all: Mutation = { params: { ...given }, errors: {} };
  for (const [name, property] of Object.entries(properties)) {
    if (name.endsWith('[n]') || inPath.has(name) || property.requires !== undefined) continue;
    if (!property.optional) {
      const { [name]: _, ...params } = given;
      yield { params, errors: { [name]: missing } };
    }
    for (const [value, text] of wrongValues(name, property)) {
      yield { params: { ...given, [name]: value }, errors: { [name]: text } };
      all.params[name] = value;
      all.errors[name] = text;
    }
  }
  yield { params: { ...given, 'no-such-parameter': 1 }, errors: { 'no-such-parameter': additional } };
  yield { params: { ...all.params, bogus: 1 }, errors: { ...all.errors, bogus: additional } };
}

function accepted(version: '8.4' | '9.2'): Exchange[] {
  const exchanges = readCases(reference ?? '', version).flatMap((one) => one.exchanges);
  const distinct = new Map<string, Exchange>();
  for (const exchange of exchanges) {
    const { method, template, params } = exchange.request;
    const names = Object.keys(params ?? {})
      .toSorted()
      .join();
    if (exchange.response.status === 200) distinct.set(`${method} ${template} ${names}`, exchange);
  }
  return [...distinct.values()];
}

/** The recorded calls, mutated along the schema: what is wrong is told for each parameter, and nothing is done. */
describe.skipIf(reference === undefined)('calls that are nearly right (need shared/reference)', () => {
  for (const version of ['8.4', '9.2'] as const) {
    it(`are refused word for word on ${version}`, async () => {
      await using c = await Conversation.open(version);
      const { schema } = c.double.world.options;
      const absent = new Set(c.double.world.facts.absentParameters);
      const before = JSON.stringify([c.double.state.vms, c.double.state.pools, c.double.state.firewalls]);
      let mutations = 0;
      const differing: object[] = [];
      for (const { request } of accepted(version)) {
        const method = schema[`${request.method} ${request.template}`];
        if (method === undefined || method.parameters.additionalProperties === 1) continue;
        const known = Object.entries(method.parameters.properties ?? {}).filter(([name]) => !absent.has(name));
        const properties = Object.fromEntries(known);
        const given = Object.fromEntries(
          Object.entries(request.params ?? {}).filter(([name]) => propertyOf(properties, name)),
        );
        const path = request.path.replace(/^\/nodes\/[^/]+/, `/nodes/${c.double.node}`);
        for (const { params, errors } of mutationsOf(given, properties)) {
          mutations++;
          const { status, reason, body } = await c.reply(`${request.method} ${path}`, params, 'admin');
          const told = (body as JsonObject | null)?.errors ?? null;
          const right = { status: 400, reason: 'Parameter verification failed.', errors };
          if (!Bun.deepEquals({ status, reason, errors: told }, right)) {
            differing.push({ call: `${request.method} ${path}`, params, status, reason, told, errors });
          }
        }
      }
      expect(differing.slice(0, 5)).toEqual([]);
      expect(mutations).toBeGreaterThan(400);
      expect(JSON.stringify([c.double.state.vms, c.double.state.pools, c.double.state.firewalls])).toBe(before);
    });
  }
});
