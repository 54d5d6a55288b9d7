import { language, say, type MessageName } from '../language.ts';

export type Unit = 'percent' | 'mebibytes' | 'bytesPerSecond';

const step: Record<Unit, number> = { percent: Number.POSITIVE_INFINITY, mebibytes: 1024, bytesPerSecond: 1000 };
const names: Record<Unit, readonly MessageName[]> = {
  percent: ['unit.percent'],
  mebibytes: ['unit.MiB', 'unit.GiB', 'unit.TiB'],
  bytesPerSecond: ['unit.B/s', 'unit.kB/s', 'unit.MB/s', 'unit.GB/s'],
};

/** "1.2 GiB", "340 kB/s", "12%" in the language of the page; a dash where nothing is known. */
export function sayValue(value: number | null, unit: Unit): string {
  if (value === null) return '–';
  let shown = value;
  let at = 0;
  while (shown >= step[unit] && at < names[unit].length - 1) {
    shown /= step[unit];
    at += 1;
  }
  const maximumFractionDigits = shown < 10 ? 1 : 0;
  const text = new Intl.NumberFormat(language.get(), { maximumFractionDigits }).format(shown);
  return say(names[unit][at]!, { value: text });
}

/** Distances of the lines of an axis, so that their labels are round numbers in this unit. */
export function incrementsOf(unit: Unit): number[] {
  if (unit === 'percent') return [1, 2, 5, 10, 20, 25, 50, 100, 200, 500];
  const base = step[unit];
  const within = unit === 'mebibytes' ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] : [1, 2, 5, 10, 20, 50, 100, 200, 500];
  return names[unit].flatMap((_, power) => within.map((each) => each * base ** power));
}
