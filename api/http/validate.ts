import { Fault } from '@lebureau/kit/fault';
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler';
import { type ValueError, type ValueErrorIterator, ValueErrorType } from '@sinclair/typebox/errors';
import type { Static, TSchema } from './schema.ts';

const errorsMax = 10;
const compiled = new WeakMap<TSchema, TypeCheck<TSchema>>();

interface FieldError {
  pointer: string;
  code: string;
  message: string;
}

/** @param place what the pointers of errors begin with: '' for a body, `/query`, `/path`. @throws Fault `invalid_request` */
export function validate<Schema extends TSchema>(schema: Schema, value: unknown, place: string): Static<Schema> {
  let check = compiled.get(schema);
  if (check === undefined) {
    check = TypeCompiler.Compile(schema);
    compiled.set(schema, check);
  }
  if (check.Check(value)) return value;
  const errors: FieldError[] = [];
  for (const error of check.Errors(value)) {
    if (errors.length >= errorsMax) break;
    for (const each of fieldErrors(error, place)) {
      if (!errors.some((known) => known.pointer === each.pointer)) errors.push(each);
    }
  }
  throw invalid(errors.slice(0, errorsMax));
}

export function invalid(errors: FieldError[]): Fault {
  const [first] = errors;
  const detail = first ? `${first.pointer || 'The body'}: ${first.message}` : 'The request is malformed.';
  return new Fault('invalid_request', detail, { members: { errors } });
}

/** One error as the client reads it. Of a union the variant is taken whose words fit, so that its own mistakes are named. */
function fieldErrors(error: ValueError, place: string): FieldError[] {
  if (error.type === ValueErrorType.Union) {
    const inner = meantVariant(error.errors);
    if (inner) return inner.flatMap((each) => fieldErrors(each, place));
    const words = wordsOf(error.schema);
    if (words)
      return [{ pointer: place + error.path, code: 'not_one_of', message: `wants one of ${words.join(', ')}` }];
  }
  return [{ pointer: place + error.path, code: codeOf(error.type), message: messageOf(error) }];
}

/** The errors of the only variant whose constant members all fit. */
function meantVariant(variants: ValueErrorIterator[]): ValueError[] | undefined {
  const fitting = variants.map((iterator) => take(iterator)).filter((errors) => !errors.some(contradicts));
  return fitting.length === 1 ? fitting[0] : undefined;
}

function take(iterator: ValueErrorIterator): ValueError[] {
  const errors: ValueError[] = [];
  for (const error of iterator) if (errors.push(error) >= errorsMax) break;
  return errors;
}

function contradicts(error: ValueError): boolean {
  return error.type === ValueErrorType.Literal || (error.schema['const'] !== undefined && error.value === undefined);
}

function wordsOf(schema: TSchema): string[] | undefined {
  const variants = schema['anyOf'] as TSchema[] | undefined;
  return variants?.every((variant) => typeof variant['const'] === 'string')
    ? variants.map((variant) => String(variant['const']))
    : undefined;
}

function codeOf(type: ValueErrorType): string {
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return 'required';
    case ValueErrorType.ObjectAdditionalProperties:
      return 'unknown_member';
    case ValueErrorType.StringPattern:
    case ValueErrorType.StringFormat:
      return 'pattern';
    case ValueErrorType.ArrayMaxItems:
    case ValueErrorType.StringMaxLength:
    case ValueErrorType.IntegerMaximum:
    case ValueErrorType.NumberMaximum:
    case ValueErrorType.ObjectMaxProperties:
      return 'too_large';
    case ValueErrorType.ArrayMinItems:
    case ValueErrorType.StringMinLength:
    case ValueErrorType.IntegerMinimum:
    case ValueErrorType.NumberMinimum:
    case ValueErrorType.ObjectMinProperties:
      return 'too_small';
    default:
      return 'invalid';
  }
}

function messageOf(error: ValueError): string {
  const pattern = error.schema['pattern'];
  if (error.type === ValueErrorType.StringPattern && typeof pattern === 'string') return `must match ${pattern}`;
  return error.message.charAt(0).toLowerCase() + error.message.slice(1);
}
