import { formats } from './formats.ts';
import { namedFormats } from './namedFormats.ts';
import { badParameters } from './refusal.ts';
import type { Json, Method, Property } from './reference.ts';

export type Parameters = Record<string, Json>;
type Errors = Record<string, string>;

const additional = 'property is not defined in schema and the schema does not allow additional properties';
const missing = 'property is missing and it is not optional';

/** A property of the schema by name; `net3` finds `net[n]`. */
export function propertyOf(properties: Record<string, Property>, name: string): Property | undefined {
  if (Object.hasOwn(properties, name) && !name.endsWith('[n]')) return properties[name];
  const numbered = /^([a-z]+)(\d{1,3})$/.exec(name);
  return numbered ? properties[`${numbered[1]}[n]`] : undefined;
}

/** As PVE::JSONSchema::validate: throws 400 with one text for each bad parameter, and returns the values it converted. */
export function verifyParameters(method: Method, given: Parameters, absent: string[] = []): Parameters {
  const properties = method.parameters.properties ?? {};
  const errors: Errors = {};
  const values: Parameters = {};
  for (const [name, value] of Object.entries(given)) {
    const property = absent.includes(name) ? undefined : propertyOf(properties, name);
    if (property === undefined) errors[name] = additional;
    else {
      const error = checkValue(property, value, name);
      if (error !== undefined) errors[name] = error;
      else values[name] = convert(property, value);
    }
  }
  for (const [name, property] of Object.entries(properties)) {
    if (name.endsWith('[n]')) continue;
    if (given[name] === undefined && !property.optional) errors[name] = missing;
    const requires = property.requires;
    if (given[name] !== undefined && requires !== undefined && given[requires] === undefined) {
      errors[requires] = `missing property - '${name}' requires this property`;
    }
  }
  if (Object.keys(errors).length > 0) throw badParameters(errors);
  return values;
}

function convert(property: Property, value: Json): Json {
  if (property.type === 'integer' || property.type === 'number') return Number(value);
  if (property.type === 'boolean') return Number(value);
  if (property.type === 'array') return Array.isArray(value) ? value : [value];
  return typeof value === 'string' ? value : String(value);
}

/** Inside a property string words are booleans, too. */
function booleanOf(text: string): string {
  if (/^(?:1|on|yes|true)$/i.test(text)) return '1';
  return /^(?:0|off|no|false)$/i.test(text) ? '0' : text;
}

function checkType(type: string | undefined, value: Json): boolean {
  const text = String(value);
  switch (type) {
    case 'integer':
      return /^[+-]?\d+$/.test(text);
    case 'number':
      return text !== '' && Number.isFinite(Number(text));
    case 'boolean':
      return text === '0' || text === '1';
    case 'array':
      return true;
    default:
      return typeof value !== 'object';
  }
}

/** The text of the first thing wrong with one value. */
function checkValue(property: Property, value: Json, path: string): string | undefined {
  if (!checkType(property.type, value)) {
    return `type check ('${property.type}') failed - got '${String(value)}'`;
  }
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
  if (property.type === 'integer' || property.type === 'number') {
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
  return errors.length === 0 ? undefined : `format error\n${errors.join('\n')}`;
}

function checkProperties(table: Record<string, Property>, parsed: Record<string, string>, path: string): string[] {
  const errors: string[] = [];
  for (const [key, value] of Object.entries(parsed)) {
    const property = table[key];
    const error = property === undefined ? additional : checkValue(property, value, `${path}.${key}`);
    if (error !== undefined) errors.push(`${path}.${key}: ${error}`);
    const requires = property?.requires;
    if (requires !== undefined && parsed[requires] === undefined) {
      errors.push(`${path}.${requires}: missing property - '${path}.${key}' requires this property`);
    }
  }
  for (const [key, property] of Object.entries(table)) {
    const needed = !property.optional && property.alias === undefined;
    if (needed && parsed[key] === undefined) errors.push(`${path}.${key}: ${missing}`);
  }
  return errors;
}

/**
 * `virtio=AA:..,bridge=vmbr0` to its parts: the default key needs no name, an alias with `keyAlias` sets two keys.
 * @returns the error's text where it is not such a list.
 */
function parsePropertyString(table: Record<string, Property>, text: string): Record<string, string> | string {
  const defaultKey = Object.keys(table).find((key) => table[key]?.default_key);
  const parsed: Record<string, string> = {};
  for (const part of text.split(',')) {
    if (/^\s*$/.test(part)) continue;
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(part) ?? [];
    if (name === undefined && part.includes('=')) return 'missing key in comma-separated list property';
    if (name === undefined && defaultKey === undefined)
      return 'value without key, but schema does not define a default key';
    const given = name ?? defaultKey ?? '';
    const property = table[given];
    const key = property?.alias ?? given;
    if (parsed[key] !== undefined) return `duplicate key in comma-separated list property: ${key}`;
    if (property?.alias !== undefined && property.keyAlias !== undefined) parsed[property.keyAlias] = given;
    const raw = value ?? part;
    parsed[key] = table[key]?.type === 'boolean' ? booleanOf(raw) : raw;
  }
  return parsed;
}

/** Perl writes the flags of an inner pattern as `(?^i:…)`, and `(?>…)` only to be quicker. */
function perlPattern(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern.replace(/\(\?(?:\^[a-z]*:|>)/g, '(?:')})$`);
}
