import {
  FormatRegistry,
  JavaScriptTypeBuilder,
  type SchemaOptions,
  type TNull,
  type TSchema,
  type TUnion,
  type TUnsafe,
} from '@sinclair/typebox';

/**
 * The schema builder of every wire shape: plain JSON Schema and nothing that turns one value into another, so that
 * what is checked, what is published and what the types say are the same.
 */
class WireTypeBuilder extends JavaScriptTypeBuilder {
  Nullable<Schema extends TSchema>(schema: Schema, options: SchemaOptions = {}): TUnion<[Schema, TNull]> {
    return this.Union([schema, this.Null()], options);
  }

  /** One of a closed list of words. */
  Word<const Words extends readonly string[]>(words: Words, options: SchemaOptions = {}): TUnsafe<Words[number]> {
    return this.Union(
      words.map((word) => this.Literal(word)),
      options,
    ) as unknown as TUnsafe<Words[number]>;
  }
}

export const t = new WireTypeBuilder();
export type { Static, TSchema } from '@sinclair/typebox';

const dateTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
FormatRegistry.Set('date-time', (text) => dateTime.test(text) && !Number.isNaN(Date.parse(text)));
FormatRegistry.Set('uri', (text) => URL.canParse(text));
