import type { Schema } from './contractTypes.ts';

/** What a schema says, as HTML: its kind of value in one line, its limits in one, its members as rows of a table. */

export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Descriptions are plain sentences with `code` in them. */
export const sentence = (text: string): string => escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

/** Where a shape that has a name is told. */
export const shapeAnchor = (name: string): string => `shape-${name}`;

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

/** `array of <a>Window</a>`, `string or null` … */
export function kindOf(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref);
    return `<a href="#${shapeAnchor(name)}">${name}</a>`;
  }
  if (schema.const !== undefined) return `<code>${escape(JSON.stringify(schema.const))}</code>`;
  if (schema.enum !== undefined) return schema.enum.map((each) => `<code>${escape(String(each))}</code>`).join(' ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return [...new Set(choices.map(kindOf))].join(' or ');
  if (schema.allOf !== undefined) return schema.allOf.map(kindOf).join(' and ');
  if (schema.items !== undefined) return `array of ${kindOf(schema.items)}`;
  const types = [schema.type ?? 'any'].flat();
  const isMap = typeof schema.additionalProperties === 'object' && schema.properties === undefined;
  if (isMap) return `map of ${kindOf(schema.additionalProperties as Schema)}`;
  return types.join(' or ') + (schema.format === undefined ? '' : ` (${schema.format})`);
}

/** `1 to 255 characters; by default "nano"` */
export function limitsOf(schema: Schema): string {
  const unit = schema.type === 'string' ? ' characters' : schema.type === 'array' ? ' items' : '';
  const [least, most] = [
    schema.minimum ?? schema.minLength ?? schema.minItems,
    schema.maximum ?? schema.maxLength ?? schema.maxItems ?? schema.maxProperties,
  ];
  const said = [
    least !== undefined && most !== undefined ? `${least} to ${most}${unit}` : '',
    least !== undefined && most === undefined ? `at least ${least}${unit}` : '',
    least === undefined && most !== undefined ? `at most ${most}${unit}` : '',
    schema.pattern === undefined ? '' : `<code>${escape(schema.pattern)}</code>`,
    schema.default === undefined ? '' : `by default <code>${escape(JSON.stringify(schema.default))}</code>`,
  ];
  return said.filter((each) => each !== '').join('; ');
}

/** Members of a shape as rows; those of an object without a name follow it, as `template.id` or `cursors[].x`. */
export function memberRows(schema: Schema, before = ''): string {
  return Object.entries(schema.properties ?? {})
    .map(([name, member]) => {
      const isRequired = schema.required?.includes(name) ?? false;
      const within = member.items === undefined ? `${before}${name}.` : `${before}${name}[].`;
      return rowOf({ name: before + name, isRequired, schema: member }) + memberRows(member.items ?? member, within);
    })
    .join('');
}

export function rowOf(row: { name: string; isRequired: boolean; schema: Schema; description?: string }): string {
  const text = row.description ?? row.schema.description;
  const limits = limitsOf(row.schema);
  const about = [text === undefined ? '' : sentence(text), limits === '' ? '' : `<small>${limits}</small>`];
  const mark = row.isRequired ? ' <small>required</small>' : '';
  return `<tr><td><code>${escape(row.name)}</code>${mark}<td>${kindOf(row.schema)}<td>${about.join(' ').trim()}`;
}

/** A table that scrolls by itself where it is too wide. */
export function table(headings: readonly string[], rows: string): string {
  if (rows === '') return '';
  const head = headings.map((each) => `<th>${each}`).join('');
  return `<div class="scroll" tabindex="0"><table><thead><tr>${head}<tbody>${rows}</table></div>`;
}
