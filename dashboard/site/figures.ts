/**
 * One measured figure of docs/benchmarks.md as a person says it: `0.019 s` is 19 ms.
 * @throws Error when the table has no such row, or when it was missed: what was missed is no boast.
 */
export function figureOf(benchmarks: string, what: string): string {
  const row = benchmarks.split('\n').find((line) => line.startsWith(`| ${what} |`));
  const [, , measured = '', , outcome] = row?.split('|').map((cell) => cell.trim()) ?? [];
  if (outcome !== 'met') throw new Error(`docs/benchmarks.md has no figure «${what}» that was met.`);
  const [, number = '', unit = ''] = /^([\d.]+) (\S+)$/.exec(measured) ?? [];
  const [value, shown] = unit === 's' && Number(number) < 0.1 ? [Number(number) * 1000, 'ms'] : [Number(number), unit];
  return `${Number(value.toPrecision(value < 100 ? 2 : 3))} ${shown}`;
}
