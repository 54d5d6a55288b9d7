import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createReady, type Service, startService, vmSkipReason, waitFor, waitForNode } from './product.ts';

const skip = vmSkipReason();

interface Point {
  at: string;
  measuredSeconds: number;
  cpuCores: number | null;
  cpuCoresMax: number | null;
  memoryUsedMiB: number | null;
  memoryHostMiB: number | null;
  diskUsedMiB: number | null;
  diskWriteBytesPerSecond: number | null;
  networkReceiveBytesPerSecond: number | null;
}

describe.skipIf(skip !== undefined)(`metrics of a desktop, through the whole product ${skip ?? ''}`, () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service?.close());

  const points = async (id: string): Promise<Point[]> => {
    const { status, body } = await call(service, 'GET', `/v1/desktops/${id}/metrics`);
    expect(status).toBe(200);
    return (body.points as Point[]).filter((point) => point.measuredSeconds > 0);
  };
  const untilMeasured = (id: string, count: number) =>
    waitFor(
      async () => (await points(id)).length >= count,
      () => `nothing was measured:\n${service.log('hostd').slice(-2000)}`,
    );

  test('what it does shows within seconds, and neither restart loses what was told before', async () => {
    const { id } = await createReady(service, { name: 'measured' });
    await untilMeasured(id, 2);
    const shell = (command: string) =>
      call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command, timeoutSeconds: 60 } });
    await shell('dd if=/dev/zero of=big bs=1M count=30 conv=fsync; timeout 15 sh -c "while :; do :; done"; true');
    await waitFor(
      async () => (await points(id)).some((point) => (point.cpuCoresMax ?? 0) > 0.25),
      // What a busy machine leaves for it, and far more than it takes when it is idle.
      () => 'the loop does not show',
    );
    const seen = await points(id);
    expect(Math.max(...seen.map((point) => point.diskWriteBytesPerSecond ?? 0))).toBeGreaterThan(1_000_000);
    const last = seen.at(-1)!;
    expect(last.memoryUsedMiB).toBeGreaterThan(last.memoryHostMiB!);
    expect(last.diskUsedMiB).toBeGreaterThan(30);
    expect(last.networkReceiveBytesPerSecond).not.toBeNull();
    for (const name of ['hostd', 'api'] as const) {
      const before = await points(id);
      await service.kill(name);
      await service.start(name);
      await waitFor(
        () =>
          fetch(`${service.baseUrl}/readyz`).then(
            (answer) => answer.ok,
            () => false,
          ),
        () => service.log('api').slice(-2000),
      );
      await waitForNode(service);
      const after = await points(id);
      for (const point of before.slice(0, -1)) expect(after).toContainEqual(point);
      await untilMeasured(id, after.length + 2);
    }
    // What hostd measured while the API was away came in later.
    const all = await points(id);
    const [first, end] = [Date.parse(all.at(-4)!.at), Date.parse(all.at(-1)!.at)];
    expect(end - first).toBe(30_000);
  });
});
