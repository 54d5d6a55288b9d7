import { runLoop } from '@lebureau/kit/loop';
import { expireDesktop } from '../desktops/operations.ts';
import { listExpired, renewExpiry } from '../desktops/store.ts';
import type { Usage } from '../desktops/usage.ts';
import { purgeEvents } from '../events/store.ts';
import { keptMs } from '../http/idempotency.ts';
import { allCapabilities } from '../keys/capabilities.ts';
import { markUsed } from '../keys/store.ts';
import { idleMs as grantIdleMs, lifeMs as grantLifeMs } from '../grants/life.ts';
import { purgeGrants } from '../grants/operations.ts';
import { forgetMetrics } from '../metrics/forget.ts';
import { rollUpMetrics } from '../metrics/rollUp.ts';
import { drainNodes } from '../nodes/drainLoop.ts';
import { purgeJoins } from '../nodes/join.ts';
import { keepPool } from '../pool/keeper.ts';
import { forgetDemand } from '../pool/store.ts';
import type { PoolSettings } from '../pool/plan.ts';
import type { Services } from '../services.ts';
import { idleMs, lifeMs } from '../sessions/life.ts';
import { purgeSessions } from '../sessions/store.ts';
import { purgeLinks } from '../signIn/links.ts';
import { purgeTickets } from '../streams/tickets.ts';

/** A kind that nobody asked for within a day is forgotten. */
const demandKeptMs = 86_400_000;

export interface LoopSettings {
  usage: Usage;
  eventRetentionMs: number;
  pool: PoolSettings | undefined;
  signal: AbortSignal;
}

/** The loops of one replica; each round may run on several at once. Resolves when all have ended. */
export async function runLoops(services: Services, settings: LoopSettings): Promise<void> {
  const { clock, log } = services;
  const { pool } = settings;
  const common = { clock, log, signal: settings.signal, backoffMaxMs: 30_000 };
  await Promise.all([
    runLoop({ ...common, name: 'expiry', intervalMs: 2000 }, () => expireDesktops(services, settings.usage)),
    runLoop({ ...common, name: 'drain', intervalMs: 2000 }, () => drainNodes(services)),
    pool && runLoop({ ...common, name: 'pool', intervalMs: 2000 }, () => keepPool(services, pool)),
    runLoop({ ...common, name: 'lastUsed', intervalMs: 15_000 }, () => writeLastUsed(services)),
    runLoop({ ...common, name: 'metrics', intervalMs: 60_000 }, () => rollUpMetrics(services)),
    runLoop({ ...common, name: 'purge', intervalMs: 600_000 }, () => purge(services, settings.eventRetentionMs)),
  ]);
}

/** Renews what was used, then deletes ephemeral desktops whose time is over. */
export async function expireDesktops(services: Services, usage: Usage): Promise<void> {
  const { database, clock } = services;
  const used = usage.take();
  if (used.length > 0) await database.write((write) => renewExpiry(write, used, clock.nowMs()));
  for (const { id, workspaceId } of await listExpired(database.read, clock.nowMs())) {
    const caller = {
      actor: { type: 'system' as const },
      workspaceId,
      capabilities: new Set(allCapabilities),
      restriction: null,
    };
    const act = { caller, requestId: null, desktopId: id, isUsed: () => usage.isUsed(id) };
    if (await database.write((write) => expireDesktop(services, write, act)))
      services.log.info('ephemeral desktop expired', { desktopId: id });
  }
}

export async function writeLastUsed(services: Services): Promise<void> {
  const used = services.authenticator.takeUsed();
  if (used.size > 0) await services.database.write((write) => markUsed(write, used));
}

export async function purge(services: Services, eventRetentionMs: number): Promise<void> {
  const { database, clock } = services;
  const nowMs = clock.nowMs();
  await database.write(async (write) => {
    const { db } = write;
    await purgeJoins(db, nowMs);
    await purgeLinks(db, nowMs);
    await purgeSessions(db, { createdMs: nowMs - lifeMs, usedMs: nowMs - idleMs });
    await purgeGrants(services, write, { createdMs: nowMs - grantLifeMs, usedMs: nowMs - grantIdleMs, nowMs });
    await db
      .deleteFrom('idempotency')
      .where('createdMs', '<', nowMs - keptMs)
      .execute();
  });
  await database.write((write) => purgeTickets(write, nowMs));
  await database.write((write) => forgetMetrics(write, nowMs));
  await database.write((write) => forgetDemand(write, nowMs - demandKeptMs));
  for (let round = 0; round < 100; round++) {
    if ((await database.write((write) => purgeEvents(write, database.flavour, nowMs - eventRetentionMs))) === 0) return;
  }
}
