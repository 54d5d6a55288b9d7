import type { paths } from '@lebureau/sdk/generated/public';

export type Measured =
  paths['/v1/desktops/{desktopId}/metrics']['get']['responses'][200]['content']['application/json'];
export type MeasuredPoint = Measured['points'][number];

/** So many steps are read again with each tail: what a node reports late belongs to moments that were shown as unknown. */
export const tailSteps = 12;

/** What was known, gone on with what was read anew; what is older than `seconds` goes. */
export function withTail(known: Measured, tail: Measured, seconds: number): Measured {
  const fromMs = Math.max(Date.parse(known.from), Date.parse(tail.to) - seconds * 1000);
  const kept = known.points.filter(({ at }) => Date.parse(at) >= fromMs && Date.parse(at) < Date.parse(tail.from));
  const points = [...kept, ...tail.points];
  return { ...tail, from: points[0]?.at ?? tail.from, points };
}

/** Where the tail of what is known begins. */
export function tailFrom({ to, stepSeconds }: Measured): string {
  return new Date(Date.parse(to) - tailSteps * stepSeconds * 1000).toISOString();
}
