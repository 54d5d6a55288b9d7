import { call, createReady, type Service, startService, waitForStatus } from '../system/product.ts';
import { type Figure, figure, quantile, summary } from './figure.ts';
import { cpuSeconds, privateMiB, qemuPids } from './processes.ts';

interface Made {
  id: string;
  readyMs: number;
  firstCommandMs: number;
}

/** Twenty desktops one after the other, and one cold boot in the same run. */
export async function creationFigures(service: Service): Promise<Figure[]> {
  await remove(service, (await makeOne(service)).id);
  const made: Made[] = [];
  for (let at = 0; at < 20; at++) {
    const one = await makeOne(service);
    made.push(one);
    await remove(service, one.id);
  }
  const ready = made.map((each) => each.readyMs);
  const command = made.map((each) => each.firstCommandMs);
  const coldMs = await coldBoot(service);
  const detail = { ready: summary(ready), firstCommand: summary(command), coldBootMs: Math.round(coldMs) };
  return [
    figure('create → ready, warm, p50 of 20', 's', {
      value: quantile(ready, 0.5) / 1000,
      at: '<=',
      reach: 1.2,
      detail,
    }),
    figure('create → ready, warm, p95 of 20', 's', { value: quantile(ready, 0.95) / 1000, at: '<=', reach: 2.5 }),
    figure('create → first command answered, p50 of 20', 's', {
      value: quantile(command, 0.5) / 1000,
      at: '<=',
      reach: 1.2,
    }),
    figure('cold boot / warm', 'ratio', {
      value: coldMs / quantile(ready, 0.5),
      at: '>=',
      reach: 80,
      detail: { coldBootMs: Math.round(coldMs) },
    }),
  ];
}

/** Ten desktops, each of which finds a machine of its kind waiting. */
export async function poolFigures(): Promise<Figure[]> {
  const environment = {
    LEBUREAU_POOL_MEMBERS_MAX: '1',
    LEBUREAU_POOL_MEMORY_PERCENT: '90',
    LEBUREAU_RATE_LIMITS: 'off',
  };
  const service = await startService({ environment });
  try {
    await remove(service, (await makeOne(service)).id);
    const made: Made[] = [];
    for (let at = 0; at < 10; at++) {
      await untilOneWaits(service);
      const one = await makeOne(service);
      made.push(one);
      await remove(service, one.id);
    }
    const ready = made.map((each) => each.readyMs);
    const detail = { ready: summary(ready), firstCommand: summary(made.map((each) => each.firstCommandMs)) };
    return [
      figure('create → ready, from the pool, p50 of 10', 's', {
        value: quantile(ready, 0.5) / 1000,
        at: '<=',
        reach: 0.3,
        detail,
      }),
    ];
  } finally {
    await service.close();
  }
}

export async function untilOneWaits(service: Service): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const text = await (await fetch(`${service.baseUrl}/metrics`)).text();
    if (text.includes('lebureau_pool_members{ready="1"} 1')) return;
    await Bun.sleep(100);
  }
  throw new Error('no machine waits in the pool');
}

export async function makeOne(service: Service): Promise<Made> {
  const beganMs = performance.now();
  const { body } = await call(service, 'POST', { path: '/v1/desktops', body: { name: 'bench', size: 'nano' } });
  const ready = await call(service, 'GET', `/v1/desktops/${body.id}?waitFor=ready&timeoutSeconds=45`);
  if (!ready.body.ready) throw new Error(`not ready: ${JSON.stringify(ready.body)}`);
  const readyMs = performance.now() - beganMs;
  const first = await call(service, 'POST', { path: `/v1/desktops/${body.id}/exec`, body: { command: 'true' } });
  if (first.body.exitCode !== 0) throw new Error(`first command: ${JSON.stringify(first.body)}`);
  return { id: body.id, readyMs, firstCommandMs: performance.now() - beganMs };
}

/** Stop, then start: the second start of a desktop always boots from its own disk. */
async function coldBoot(service: Service): Promise<number> {
  const { id } = await createReady(service);
  await call(service, 'POST', `/v1/desktops/${id}/stop`);
  await waitForStatus(service, id, 'stopped');
  const beganMs = performance.now();
  await call(service, 'POST', `/v1/desktops/${id}/start`);
  await waitForStatus(service, id, 'running');
  // Ready says that the display and the init channel answer; the comparison with a warm start wants the painted desktop.
  await untilPainted(service, id);
  const tookMs = performance.now() - beganMs;
  await remove(service, id);
  return tookMs;
}

async function untilPainted(service: Service, id: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const { body } = await call(service, 'POST', {
      path: `/v1/desktops/${id}/exec`,
      body: {
        command:
          'pgrep -x xfdesktop >/dev/null && pgrep -x xfce4-panel >/dev/null && xprop -root _NET_CLIENT_LIST_STACKING | grep -c 0x',
        timeoutSeconds: 20,
      },
    });
    if (body.exitCode === 0) return;
    await Bun.sleep(250);
  }
  throw new Error('the desktop was not painted in time');
}

/** Eight at once; then what an idle one costs. */
export async function crowdFigures(service: Service): Promise<Figure[]> {
  const beganMs = performance.now();
  const made = await Promise.all(Array.from({ length: 8 }, () => makeOne(service)));
  const allMs = performance.now() - beganMs;
  await Bun.sleep(35_000);
  const pids = qemuPids(service.home);
  const memory = pids.map(privateMiB);
  const before = pids.map(cpuSeconds);
  await Bun.sleep(20_000);
  const cpu = pids.map((pid, at) => ((cpuSeconds(pid) - before[at]!) / 20) * 100);
  for (const each of made) await remove(service, each.id);
  return [
    figure('eight desktops at once, all ready', 's', {
      value: allMs / 1000,
      at: '<=',
      reach: 6,
      detail: { ready: summary(made.map((each) => each.readyMs)) },
    }),
    figure('host memory of an idle clone after 35 s, p50 of 8 (private pages of QEMU)', 'MiB', {
      value: quantile(memory, 0.5),
      at: '<=',
      reach: 110,
      detail: summary(memory),
    }),
    figure('CPU of an idle clone, p50 of 8 over 20 s', '%', {
      value: quantile(cpu, 0.5),
      at: '<=',
      reach: 5,
      detail: summary(cpu),
    }),
  ];
}

export async function remove(service: Service, id: string): Promise<void> {
  await call(service, 'DELETE', `/v1/desktops/${id}`);
  await waitForStatus(service, id, 'destroyed');
}
