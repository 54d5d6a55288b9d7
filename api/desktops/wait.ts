import type { Static } from '../http/schema.ts';
import type { Services } from '../services.ts';
import { getDesktop } from './operations.ts';
import { desktopTopic } from './topic.ts';
import type { GetDesktopQuery } from './schema.ts';
import type { Status } from './status.ts';
import type { Scope } from './store.ts';
import { type DesktopView, isReady, statusOfView } from './view.ts';

type Target = NonNullable<Static<typeof GetDesktopQuery>['waitFor']>;

const timeoutSecondsDefault = 30;
/** Some changes come with the passing of time alone, such as a node that falls silent. */
const lookAgainMs = 5000;

/** The desktop once it is as wanted, cannot become so, or the time is over, which it also is when we stop. */
export async function waitForDesktop(
  services: Services,
  scope: Scope,
  wish: { desktopId: string; target: Target; timeoutSeconds?: number; signal: AbortSignal },
): Promise<DesktopView> {
  const { clock, database } = services;
  const over = AbortSignal.any([wish.signal, services.ending]);
  const endMs = clock.monotonicMs() + (wish.timeoutSeconds ?? timeoutSecondsDefault) * 1000;
  for (;;) {
    const leftMs = endMs - clock.monotonicMs();
    const looked = new AbortController();
    const signal = AbortSignal.any([looked.signal, over]);
    const woken = database.waitFor(desktopTopic(wish.desktopId), { timeoutMs: Math.min(leftMs, lookAgainMs), signal });
    try {
      const view = await getDesktop(services, scope, wish.desktopId);
      if (leftMs <= 0 || over.aborted || isOver(view, wish.target, clock.nowMs())) return view;
      await woken;
    } finally {
      looked.abort();
    }
  }
}

const hopeless: Record<Target, readonly Status[]> = {
  running: ['error', 'stopped', 'destroying', 'destroyed'],
  ready: ['error', 'stopped', 'destroying', 'destroyed'],
  agentReady: ['error', 'stopped', 'destroying', 'destroyed'],
  stopped: ['error', 'destroying', 'destroyed'],
  destroyed: [],
};

function isOver(view: DesktopView, target: Target, nowMs: number): boolean {
  const status = statusOfView(view, nowMs);
  if (hopeless[target].includes(status)) return true;
  if (target === 'ready') return isReady(view, status);
  if (target === 'agentReady') return isReady(view, status) && view.agentReady === 1;
  return status === target;
}
