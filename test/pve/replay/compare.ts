import type { Reply } from '../api/dispatch.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { Exchange } from './recording.ts';

/** Objects whose keys are the data: files, privileges by path. */
const keyed = new Set(['nics', 'errors']);

/** Everything in which the double's answer differs from the recorded one; empty when they agree. */
export function differences(exchange: Exchange, reply: Reply): string[] {
  const { response } = exchange;
  const found: string[] = [];
  if (reply.status !== response.status) found.push(`status ${reply.status}, recorded ${response.status}`);
  if (normal(reply.reason) !== normal(response.reason))
    found.push(`reason "${reply.reason}", recorded "${response.reason}"`);
  if (kind(reply.contentType) !== kind(response.contentType)) {
    found.push(`type ${reply.contentType}, recorded ${response.contentType}`);
  }
  if (found.length > 0) return found;
  const ours = typeof reply.body === 'string' ? reply.body : (JSON.parse(JSON.stringify(reply.body)) as Json);
  compare({ ours, theirs: response.body, at: '', found });
  compareTexts(ours, response.body, found);
  return found;
}

function kind(type: string | null): string {
  return (type ?? '').split(';')[0] ?? '';
}

/** Ids, times and sizes are those of the moment. */
export function normal(text: string): string {
  return text
    .replace(/UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:/g, 'UPID:')
    .replace(/\b[0-9a-f]{40}\b/g, 'DIGEST')
    .replace(/(?:[0-9A-F]{2}:){5}[0-9A-F]{2}/gi, 'MAC')
    .replace(/\d{4}-\d{2}-\d{2}/g, 'DATE')
    .replace(/saved [\d.]+ MiB/g, 'saved N MiB');
}

function typeOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function compare(one: { ours: Json; theirs: Json; at: string; found: string[] }): void {
  const { ours, theirs, at, found } = one;
  if (typeOf(ours) !== typeOf(theirs)) {
    found.push(`${at || 'body'} is ${typeOf(ours)}, recorded ${typeOf(theirs)}`);
  } else if (Array.isArray(ours) && Array.isArray(theirs)) compareLists(ours, theirs, { at, found });
  else if (ours !== null && typeof ours === 'object')
    compareObjects(ours as JsonObject, theirs as JsonObject, { at, found });
}

function compareObjects(ours: JsonObject, theirs: JsonObject, where: { at: string; found: string[] }): void {
  const { at, found } = where;
  if (keyed.has(at.split('.').at(-1) ?? '') && !at.endsWith('errors')) return;
  for (const key of Object.keys(theirs)) if (!(key in ours)) found.push(`${at}.${key} is missing`);
  for (const [key, value] of Object.entries(ours)) {
    if (!(key in theirs)) found.push(`${at}.${key} is not recorded`);
    else compare({ ours: value, theirs: theirs[key] ?? null, at: `${at}.${key}`, found });
  }
}

/** Lists are compared by the shapes in them: which things exist at the moment differs, not how each is told. */
function compareLists(ours: Json[], theirs: Json[], where: { at: string; found: string[] }): void {
  const { at, found } = where;
  if (theirs.length === 0 || ours.length === 0) {
    if (ours.length !== theirs.length) found.push(`${at} has ${ours.length} entries, recorded ${theirs.length}`);
    return;
  }
  const recorded = new Map(theirs.map((item) => [shape(item), item]));
  const told = new Map(ours.map((item) => [shape(item), item]));
  for (const [form, item] of told)
    if (!recorded.has(form)) found.push(`${at}[] ${name(item)}has a shape not recorded: ${form}`);
  for (const [form, item] of recorded)
    if (!told.has(form)) found.push(`${at}[] ${name(item)}lacks a recorded shape: ${form}`);
}

function name(item: Json): string {
  const one = item as JsonObject | null;
  const key = one && typeof one === 'object' ? (one.vmid ?? one.key ?? one.name ?? one.id) : undefined;
  return key === undefined ? '' : `(${String(key)}) `;
}

function shape(value: Json): string {
  if (Array.isArray(value)) return `[${[...new Set(value.map(shape))].toSorted().join('|')}]`;
  if (value === null || typeof value !== 'object') return typeOf(value);
  const keys = Object.keys(value).toSorted();
  const volatile = keys.filter((key) => key !== 'pending');
  return `{${(volatile.length === keys.length ? keys : keys).map((key) => `${key}:${key === 'nics' ? 'nics' : shape(value[key] ?? null)}`).join(',')}}`;
}

/** Texts that say what happened are compared word for word. */
const worded = ['message', 'exitstatus', 'status', 'lock', 'qmpstatus', 'type'];

function compareTexts(ours: Json, theirs: Json, found: string[]): void {
  const a = ours as JsonObject | null;
  const b = theirs as JsonObject | null;
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') {
    if (typeof ours === 'string' && typeof theirs === 'string' && normal(ours) !== normal(theirs))
      found.push(`text "${ours}", recorded "${theirs}"`);
    return;
  }
  found.push(...differing('message', a.message, b.message));
  for (const [key, text] of Object.entries((b.errors ?? {}) as JsonObject)) {
    found.push(...differing(`errors.${key}`, ((a.errors ?? {}) as JsonObject)[key], text));
  }
  const [one, two] = [a.data, b.data] as [JsonObject | null, JsonObject | null];
  if (Array.isArray(one) && Array.isArray(two) && b.total !== undefined) sameLog(one, two, found);
  else if (one && two && typeof one === 'object' && typeof two === 'object') {
    for (const key of worded) found.push(...differing(`data.${key}`, one[key], two[key]));
  }
}

function sameLog(ours: Json[], theirs: Json[], found: string[]): void {
  const lines = (list: Json[]) => list.map((line) => (line as JsonObject).t).filter((line) => typeof line === 'string');
  const [a, b] = [lines(ours), lines(theirs)];
  for (let at = 0; at < Math.max(a.length, b.length); at++) found.push(...differing(`log ${at + 1}`, a[at], b[at]));
}

function differing(what: string, ours: Json | undefined, theirs: Json | undefined): string[] {
  if (typeof theirs !== 'string' && typeof ours !== 'string') return [];
  const agree = ours !== undefined && theirs !== undefined && normal(String(ours)) === normal(String(theirs));
  return agree ? [] : [`${what} "${String(ours)}", recorded "${String(theirs)}"`];
}
