import { readFileSync } from 'node:fs';
import { testVariables, variablePrefix, variables } from './variables.ts';

/** One variable of a package's environment. `file: true` also accepts `NAME_FILE`, a path whose trimmed content is the value. */
export interface Variable<Value> {
  about: string;
  parse: (text: string) => Value;
  fallback?: Value;
  file?: boolean;
}

type Parsed<Schema> = { [Name in keyof Schema]: Schema[Name] extends Variable<infer Value> ? Value : never };

/** Exit code of a program whose configuration is wrong (sysexits.h): starting it again changes nothing. */
export const exitConfig = 78;

const known = new Set<string>([...variables, ...testVariables]);

/**
 * Reads the variables of `schema` from `environment`.
 * @throws Error that lists every mistake at once: missing, malformed, and variables of our prefix that nobody reads.
 */
export function readConfig<Schema extends Record<string, Variable<unknown>>>(
  environment: Record<string, string | undefined>,
  schema: Schema,
): Parsed<Schema> {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries(schema)) {
    try {
      const text = textOf(environment, name, variable);
      if (text !== undefined) values[name] = variable.parse(text);
      else if ('fallback' in variable) values[name] = variable.fallback;
      else mistakes.push(`${name} is missing: ${variable.about}`);
    } catch (error) {
      mistakes.push(`${name}: ${error instanceof Error ? error.message : String(error)} (${variable.about})`);
    }
  }
  for (const [name, text] of Object.entries(environment)) {
    if (text !== undefined && name.startsWith(variablePrefix) && !known.has(name))
      mistakes.push(`${name} is not a variable of Le Bureau (docs/operations.md lists them)`);
  }
  if (mistakes.length > 0) throw new Error(`The configuration has mistakes:\n  ${mistakes.join('\n  ')}`);
  return values as Parsed<Schema>;
}

function textOf(environment: Record<string, string | undefined>, name: string, variable: Variable<unknown>) {
  const path = variable.file ? environment[`${name}_FILE`] : undefined;
  if (path !== undefined) {
    if (environment[name] !== undefined) throw new Error(`set it or ${name}_FILE, not both`);
    return readFileSync(path, 'utf8').trim();
  }
  const text = environment[name];
  return text === '' ? undefined : text;
}

/** Parser of an integer in [min, max]. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`wants a whole number ${min} to ${max}`);
    return value;
  };
}

/** Parser of one of a closed list of words. */
export function oneOf<const Words extends readonly string[]>(words: Words): (text: string) => Words[number] {
  return (text) => {
    if (!words.includes(text)) throw new Error(`wants one of ${words.join(', ')}`);
    return text;
  };
}
