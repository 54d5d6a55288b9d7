/** What can be looked at; the API keeps ten seconds for an hour, two minutes for a day, ten minutes for 31 days. */
export const spans = [
  { id: 'hour', name: 'metrics.hour', seconds: 3600, stepSeconds: 10, everyMs: 10_000 },
  { id: 'day', name: 'metrics.day', seconds: 86_400, stepSeconds: 240, everyMs: 60_000 },
  { id: 'week', name: 'metrics.week', seconds: 604_800, stepSeconds: 1800, everyMs: 120_000 },
  { id: 'month', name: 'metrics.month', seconds: 2_592_000, stepSeconds: 7200, everyMs: 300_000 },
] as const;

export type Span = (typeof spans)[number];
