export type Values = readonly (number | null)[];

/** What a line says in words. `now` is the newest that is known. */
export interface Summary {
  now: number | null;
  mean: number | null;
  highest: number | null;
}

export function summaryOf(values: Values): Summary {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return { now: null, mean: null, highest: null };
  const sum = known.reduce((all, value) => all + value, 0);
  return { now: known.at(-1)!, mean: sum / known.length, highest: Math.max(...known) };
}

/** At most `rows` stretches of equal length, each by its first moment and the means in it: the table beside the picture. */
export function stretchesOf(lines: readonly Values[], rows: number): { at: number; means: (number | null)[] }[] {
  const count = lines[0]?.length ?? 0;
  const size = Math.max(1, Math.ceil(count / rows));
  return Array.from({ length: Math.ceil(count / size) }, (_, row) => ({
    at: row * size,
    means: lines.map((values) => summaryOf(values.slice(row * size, (row + 1) * size)).mean),
  }));
}

/** Points that stand alone between two gaps, which no line would show. */
export function loneOf(values: Values): number[] {
  const isKnown = (at: number) => values[at] !== null && values[at] !== undefined;
  return values.flatMap((_, at) => (isKnown(at) && !isKnown(at - 1) && !isKnown(at + 1) ? [at] : []));
}
