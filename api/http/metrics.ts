const bucketsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

interface Series {
  count: number;
  sumMs: number;
  buckets: number[];
}

/** Requests by operation and status, as Prometheus reads them. */
export class RequestMetrics {
  readonly #counts = new Map<string, number>();
  readonly #durations = new Map<string, Series>();

  count(operationId: string, status: number, durationMs: number): void {
    const name = `operation="${operationId}",status="${status}"`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    let series = this.#durations.get(operationId);
    if (series === undefined)
      this.#durations.set(operationId, (series = { count: 0, sumMs: 0, buckets: bucketsMs.map(() => 0) }));
    series.count += 1;
    series.sumMs += durationMs;
    const at = bucketsMs.findIndex((limit) => durationMs <= limit);
    if (at >= 0) series.buckets[at]! += 1;
  }

  text(): string {
    const lines = ['# HELP lebureau_requests_total Answered requests.', '# TYPE lebureau_requests_total counter'];
    for (const [name, count] of this.#counts) lines.push(`lebureau_requests_total{${name}} ${count}`);
    lines.push(
      '# HELP lebureau_request_seconds Time until the answer began.',
      '# TYPE lebureau_request_seconds histogram',
    );
    for (const [operationId, series] of this.#durations) lines.push(...histogram(operationId, series));
    return `${lines.join('\n')}\n`;
  }
}

function histogram(operationId: string, series: Series): string[] {
  let total = 0;
  const lines = bucketsMs.map((limit, at) => {
    total += series.buckets[at]!;
    return `lebureau_request_seconds_bucket{operation="${operationId}",le="${limit / 1000}"} ${total}`;
  });
  return [
    ...lines,
    `lebureau_request_seconds_bucket{operation="${operationId}",le="+Inf"} ${series.count}`,
    `lebureau_request_seconds_sum{operation="${operationId}"} ${series.sumMs / 1000}`,
    `lebureau_request_seconds_count{operation="${operationId}"} ${series.count}`,
  ];
}
