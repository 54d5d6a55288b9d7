import { formats } from './formats.ts';
import { namedFormats, validators } from './namedFormats.ts';
import { badParameters } from './refusal.ts';
import type { Json, Method, Property } from './reference.ts';

export type Parameters = Record<string, Json>;
type Errors = Record<string, string>;

const additional = 'property is not defined in schema and the schema does not allow additional properties';
const missing = 'property is missing and it is not optional';

/** How many there are of each numbered property: the schema writes `net[n]` for all of them. */
const counts: Record<string, number> = {
  hostpci: 16,
  ide: 4,
  ipconfig: 32,
  net: 32,
  numa: 8,
  parallel: 3,
  sata: 6,
  scsi: 31,
  serial: 4,
  unused: 256,
  usb: 14,
  virtio: 16,
  virtiofs: 10,
};

/** A property of the schema by name; `net3` finds `net[n]`. */
export function propertyOf(properties: Record<string, Property>, name: string): Property | undefined {
  if (Object.hasOwn(properties, name) && !name.endsWith('[n]')) return properties[name];
  const [, word = '', number = ''] = /^([a-z]+)(0|[1-9]\d*)$/.exec(name) ?? [];
  return Number(number || Number.NaN) < (counts[word] ?? 0) ? properties[`${word}[n]`] : undefined;
}

/** Two errors of one parameter stand in one text, with a backslash and an `n` between them (add_error of JSONSchema.pm). */
function add(errors: Errors, name: string, text: string): void {
  errors[name] = errors[name] === undefined ? text : `${errors[name]}\\n${text}`;
}

/** As PVE::JSONSchema::validate: throws 400 with one text for each bad parameter, and returns the values it converted. */
export function verifyParameters(method: Method, given: Parameters, absent: string[] = []): Parameters {
  const properties = method.parameters.properties ?? {};
  const open = method.parameters.additionalProperties === 1;
  const errors: Errors = {};
  const values: Parameters = {};
  for (const [name, property] of Object.entries(properties)) {
    if (!name.endsWith('[n]') && isMissing(given[name]) && !property.optional) add(errors, name, missing);
  }
  for (const [name, raw] of Object.entries(given)) {
    const property = absent.includes(name) ? undefined : propertyOf(properties, name);
    if (property === undefined) {
      if (open) values[name] = raw;
      else add(errors, name, additional);
      continue;
    }
    const { requires } = property;
    if (requires !== undefined && isMissing(given[requires])) {
      add(errors, requires, `missing property - '${name}' requires this property`);
    }
    if (isMissing(raw)) continue;
    const value = asExpected(property, raw);
    const error = checkValue(property, value, name);
    if (error !== undefined) add(errors, name, error);
    else values[name] = convert(property, value);
  }
  if (Object.keys(errors).length > 0) throw badParameters(errors);
  return values;
}

/** JSON's null is Perl's undef. */
function isMissing(value: Json | undefined): boolean {
  return value === undefined || value === null;
}

/** What a form cannot say, a handler fills in: one value for a list, a list for a text of several (RESTHandler.pm). */
function asExpected(property: Property, value: Json): Json {
  const isText = property.type === 'string' && typeof property.format === 'string';
  if (Array.isArray(value) && isText && property.format?.toString().endsWith('-list')) return value.join(',');
  const truthy = value !== '' && value !== 0 && value !== '0' && value !== false;
  if (property.type === 'array' && typeof value !== 'object' && truthy) return [value];
  return value;
}

function convert(property: Property, value: Json): Json {
  if (property.type === 'integer' || property.type === 'number') return Number(value);
  if (property.type === 'boolean') return Number(value);
  if (property.type === 'array') return value;
  return typeof value === 'string' ? value : String(value);
}

/** Inside a property string words are booleans, too. */
function booleanOf(text: string): string {
  if (/^(?:1|on|yes|true)$/i.test(text)) return '1';
  return /^(?:0|off|no|false)$/i.test(text) ? '0' : text;
}

const numberForm = /^[+-]?(?:\d+\.\d+|\d+\.|\.\d+|\d+)(?:[eE][+-]?\d+)?$/;

/** What Perl's `ref` says of a value that is no plain scalar. */
function reference(value: Json): string | undefined {
  if (Array.isArray(value)) return 'ARRAY';
  if (typeof value === 'boolean') return 'JSON::PP::Boolean';
  return typeof value === 'object' ? 'HASH' : undefined;
}

function checkType(type: string | undefined, value: Json): string | undefined {
  if (type === undefined || type === 'any') return undefined;
  const ref = reference(value);
  if (type === 'array' || type === 'object') {
    return ref === (type === 'array' ? 'ARRAY' : 'HASH') ? undefined : `type check ('${type}') failed`;
  }
  if (ref === 'JSON::PP::Boolean' && type === 'boolean') return undefined;
  if (ref !== undefined) return `type check ('${type}') failed - got ${ref}`;
  const text = String(value);
  const forms: Record<string, RegExp> = { integer: /^[+-]?\d+$/, number: numberForm, boolean: /^[01]$/ };
  return (forms[type]?.test(text) ?? true) ? undefined : `type check ('${type}') failed - got '${text}'`;
}

/** The text of the first thing wrong with one value. */
function checkValue(property: Property, value: Json, path: string): string | undefined {
  const wrongType = checkType(property.type, value);
  if (wrongType !== undefined) return wrongType;
  if (property.type === 'array') {
    for (const [at, item] of (Array.isArray(value) ? value : [value]).entries()) {
      const error = property.items && checkValue(property.items, item, `${path}[${at}]`);
      if (error !== undefined) return error;
    }
    return undefined;
  }
  const text = String(value);
  const wrongFormat = checkFormat(property.format, text, path);
  if (wrongFormat !== undefined) return `invalid format - ${wrongFormat}\n`;
  if (property.pattern !== undefined && !perlPattern(property.pattern).test(text)) {
    return 'value does not match the regex pattern';
  }
  return checkBounds(property, text);
}

function checkBounds(property: Property, text: string): string | undefined {
  const length = Array.from(text).length;
  if (property.maxLength !== undefined && length > property.maxLength) {
    return `value may only be ${property.maxLength} characters long`;
  }
  if (property.minLength !== undefined && length < property.minLength) {
    return `value must be at least ${property.minLength} characters long`;
  }
  if (numberForm.test(text)) {
    if (property.maximum !== undefined && Number(text) > Number(property.maximum)) {
      return `value must have a maximum value of ${property.maximum}`;
    }
    if (property.minimum !== undefined && Number(text) < Number(property.minimum)) {
      return `value must have a minimum value of ${property.minimum}`;
    }
  }
  if (property.enum && !property.enum.map(String).includes(text)) {
    return `value '${text}' does not have a value in the enumeration '${property.enum.join(', ')}'`;
  }
  return undefined;
}

function checkFormat(format: Property['format'], text: string, path: string): string | undefined {
  if (format === undefined) return undefined;
  const table = typeof format === 'string' ? namedFormats[format] : format;
  if (table === undefined) return formats[String(format)]?.(text);
  const parsed = parsePropertyString(table, text);
  if (typeof parsed === 'string') return parsed;
  const errors = checkProperties(table, parsed, path);
  if (errors.length > 0) return `format error\n${errors.join('\n')}`;
  return typeof format === 'string' ? validators[format]?.(parsed) : undefined;
}

function checkProperties(table: Record<string, Property>, parsed: Parsed, path: string): string[] {
  const errors: Errors = {};
  for (const [key, property] of Object.entries(table)) {
    const needed = !property.optional && property.alias === undefined;
    if (needed && parsed[key] === undefined) add(errors, `${path}.${key}`, missing);
  }
  for (const [key, value] of Object.entries(parsed)) {
    const property = table[key];
    const error = property === undefined ? additional : checkValue(property, value, `${path}.${key}`);
    if (error !== undefined) add(errors, `${path}.${key}`, error);
    const requires = property?.requires;
    if (requires !== undefined && parsed[requires] === undefined) {
      add(errors, `${path}.${requires}`, `missing property - '${path}.${key}' requires this property`);
    }
  }
  return Object.entries(errors).map(([name, text]) => `${name}: ${text}`);
}

type Parsed = Record<string, string>;

/**
 * `virtio=AA:..,bridge=vmbr0` to its parts: the default key needs no name, an alias with `keyAlias` sets two keys.
 * @returns the error's text where it is not such a list.
 */
function parsePropertyString(table: Record<string, Property>, text: string): Parsed | string {
  const parsed: Parsed = {};
  let unnamed: string | undefined;
  for (const part of text.split(',')) {
    if (/^\s*$/.test(part)) continue;
    const [, name, value] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    if (name !== undefined && value !== undefined) {
      const error = addNamed(table, parsed, { name, value });
      if (error !== undefined) return error;
      continue;
    }
    if (part.includes('=')) return 'missing key in comma-separated list property';
    if (unnamed !== undefined) return `duplicate key in comma-separated list property: ${unnamed}`;
    unnamed = Object.keys(table).find((key) => table[key]?.default_key);
    if (unnamed === undefined) return 'value without key, but schema does not define a default key';
    const before = parsed[unnamed];
    if (before !== undefined && before !== '0') return `duplicate key in comma-separated list property: ${unnamed}`;
    parsed[unnamed] = part;
  }
  return parsed;
}

function addNamed(
  table: Record<string, Property>,
  parsed: Parsed,
  { name, value }: { name: string; value: string },
): string | undefined {
  if (parsed[name] !== undefined) return `duplicate key in comma-separated list property: ${name}`;
  const { alias, keyAlias } = table[name] ?? {};
  if (alias !== undefined && keyAlias !== undefined) {
    if (parsed[keyAlias] !== undefined) return `key alias '${keyAlias}' is already defined`;
    parsed[keyAlias] = name;
  }
  const key = alias ?? name;
  parsed[key] = table[key]?.type === 'boolean' ? booleanOf(value) : value;
  return undefined;
}

/** Perl writes the flags of an inner pattern as `(?^i:…)`, and `(?>…)` only to be quicker. */
function perlPattern(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern.replace(/\(\?(?:\^[a-z]*:|>)/g, '(?:')})$`);
}
