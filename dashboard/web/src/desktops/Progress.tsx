import type { DesktopData } from '@lebureau/sdk/types';
import { useEffect, useState } from 'preact/hooks';
import { say } from '../language.ts';

/** Where a desktop is on its way to ready: the steps that the API tells of, and how long each took. */
export function Progress({ desktop }: { desktop: DesktopData }) {
  const { timings, status, ready } = desktop;
  const nowMs = useNow(!ready);
  if (ready || !['pending', 'booting', 'running'].includes(status)) return null;
  const steps = [
    { name: 'step.ordered', doneAt: timings.startedAt },
    { name: 'step.running', doneAt: timings.runningAt },
    { name: 'step.ready', doneAt: timings.readyAt },
  ] as const;
  const current = steps.findIndex((step) => step.doneAt === null);
  const seconds = Math.max(0, (nowMs - Date.parse(timings.startedAt)) / 1000);
  return (
    <div class="progress">
      <ol aria-label={say('step.label')}>
        {steps.map((step, at) => (
          <li key={step.name} class={step.doneAt === null ? (at === current ? 'now' : '') : 'done'}>
            {say(step.name)}
          </li>
        ))}
      </ol>
      <span class="soft">{say('step.seconds', { seconds: seconds.toFixed(0) })}</span>
    </div>
  );
}

function useNow(isRunning: boolean): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setInterval(() => setNowMs(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isRunning]);
  return nowMs;
}
