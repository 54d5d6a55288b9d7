import { proxmoxDouble } from '../system/hypervisors.ts';
import { call, createReady, type Service, startService } from '../system/product.ts';
import { makeOne, remove, untilOneWaits } from './desktopFigures.ts';
import { type Figure, figure, quantile, summary } from './figure.ts';

const claims = 12;
const creates = 5;
const lookEveryMs = 3_000;

/** What one claim took, by the wall clock of this machine, which hostd's log has too. */
interface Claim {
  /** From the call until its answer, which holds the desktop. */
  createMs: number;
  /** From the answer until hostd began with the guest: the order's way, and hostd's look at the machine. */
  orderMs: number;
  /** Telling the guest who it is, by the open channel. */
  identityMs: number;
  /** From then until the API's caller knows. */
  reportMs: number;
  readyMs: number;
  /** A screenshot and a command after it. */
  firstUseMs: number;
}

/** Desktops of the double of Proxmox VE, whose daemons take as long as real ones; the guests are real, without KVM. */
export async function proxmoxFigures(): Promise<Figure[]> {
  const hypervisor = proxmoxDouble({ pace: 1 });
  if (hypervisor.skip !== undefined) throw new Error(hypervisor.skip);
  const environment = { LEBUREAU_POOL_MEMBERS_MAX: '1', LEBUREAU_POOL_MEMORY_PERCENT: '90' };
  const pooled = await withService({ hypervisor, environment }, async (service) => {
    const { id } = await makeOne(service);
    const made: Claim[] = [];
    for (let at = 0; at < claims; at++) {
      await untilOneWaits(service);
      // Some seconds later, as it is with a machine that waits: what hostd saw last is as old as it gets.
      await Bun.sleep(1_000 + Math.random() * lookEveryMs);
      made.push(await claim(service));
    }
    await remove(service, id);
    return made;
  });
  const woken = await createFigures(hypervisor, creates);
  const booted = await createFigures(proxmoxDouble({ pace: 1, isCold: true }), 1);
  const ready = pooled.map((one) => one.readyMs);
  const parts = Object.fromEntries(
    Object.keys(pooled[0] ?? {}).map((name) => [name, summary(pooled.map((one) => one[name as keyof Claim]))]),
  );
  return [
    figure(`Proxmox VE: pool claim → ready, p50 of ${claims}`, 's', {
      value: quantile(ready, 0.5) / 1000,
      at: '<=',
      reach: 3,
      detail: parts,
    }),
    figure('the same: our own part, p50 (all but what the guest itself takes)', 'ms', {
      value: quantile(
        pooled.map((one) => one.createMs + one.orderMs + one.reportMs),
        0.5,
      ),
      at: '<=',
      reach: 300,
    }),
    figure(
      `Proxmox VE: create → ready without a pool, guests that wake up instead of booting, p50 of ${creates}`,
      's',
      {
        value: quantile(woken, 0.5) / 1000,
        at: '<=',
        reach: 10,
        detail: { ready: summary(woken), bootedWithoutKvmSeconds: booted[0]! / 1000 },
      },
    ),
  ];
}

async function createFigures(hypervisor: ReturnType<typeof proxmoxDouble>, count: number): Promise<number[]> {
  return withService({ hypervisor }, async (service) => {
    const times: number[] = [];
    for (let at = 0; at < count; at++) {
      const beganMs = performance.now();
      const { id } = await createReady(service);
      times.push(performance.now() - beganMs);
      await remove(service, id);
    }
    return times;
  });
}

async function withService<Value>(
  options: NonNullable<Parameters<typeof startService>[0]>,
  measure: (service: Service) => Promise<Value>,
): Promise<Value> {
  const service = await startService(options);
  try {
    return await measure(service);
  } finally {
    await service.close();
  }
}

async function claim(service: Service): Promise<Claim> {
  const beganMs = Date.now();
  const { body } = await call(service, 'POST', { path: '/v1/desktops', body: { name: 'bench', size: 'nano' } });
  const answeredMs = Date.now();
  const ready = await call(service, 'GET', `/v1/desktops/${body.id}?waitFor=ready&timeoutSeconds=45`);
  if (!ready.body.ready) throw new Error(`not ready: ${JSON.stringify(ready.body)}`);
  const readyMs = Date.now();
  const picture = await fetch(`${service.baseUrl}/v1/desktops/${body.id}/screenshot`, {
    headers: { Authorization: `Bearer ${service.apiKey}` },
  });
  await picture.arrayBuffer();
  const first = await call(service, 'POST', { path: `/v1/desktops/${body.id}/exec`, body: { command: 'true' } });
  if (!picture.ok || first.body.exitCode !== 0) throw new Error('the desktop could not be used');
  const usedMs = Date.now();
  const probe = lastProbe(service, beganMs);
  await remove(service, body.id);
  return {
    createMs: answeredMs - beganMs,
    orderMs: probe.endedMs - probe.tookMs - answeredMs,
    identityMs: probe.tookMs,
    reportMs: readyMs - probe.endedMs,
    readyMs: readyMs - beganMs,
    firstUseMs: usedMs - readyMs,
  };
}

/** From hostd's log: the first guest that was met since. */
function lastProbe(service: Service, sinceMs: number): { endedMs: number; tookMs: number } {
  for (const line of service.log('hostd').split('\n')) {
    if (!line.includes('"effect":"probe"') || !line.includes('effect done')) continue;
    const { time, tookMs } = JSON.parse(line) as { time: string; tookMs: number };
    const endedMs = Date.parse(time);
    if (endedMs >= sinceMs) return { endedMs, tookMs };
  }
  throw new Error('hostd told no guest who it is');
}
