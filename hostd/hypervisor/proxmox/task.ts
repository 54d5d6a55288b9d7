import type { Clock } from '@lebureau/kit/clock';
import { PveError, type PveApi } from './client.ts';

interface TaskSite {
  client: { api: PveApi };
  clock: Clock;
}

export interface Upid {
  text: string;
  node: string;
  type: string;
  /** VM id; of a clone that of the template. */
  id: string;
}

/** @throws Error for what is none. */
export function parseUpid(text: unknown): Upid {
  const match = /^UPID:([^:]+):[0-9A-F]+:[0-9A-F]+:[0-9A-F]+:([^:]+):([^:]*):[^:]+:$/i.exec(String(text));
  if (!match) throw new PveError('a task', { status: 0, reason: `no task id: ${String(text).slice(0, 100)}` });
  return { text: match[0], node: match[1]!, type: match[2]!, id: match[3]! };
}

const firstPauseMs = 100;
const pauseMaxMs = 1_000;
const unansweredMax = 10;
const taskMaxMs = 300_000;
/** A full clone of a large disk takes long. */
export const fullCloneMaxMs = 3_600_000;
const logLines = 5_000;

/**
 * Waits for a task: a 200 with a UPID only says that a worker started. Asked of the node that runs it, at most once a
 * second after the first moments. Warnings are success.
 * Whoever waits behind it must not wait for ever, so a task that does not end is given up, and looked at again later.
 * @throws PveError with the exit status and the end of the log.
 */
export async function finishTask(site: TaskSite, started: unknown, limitMs = taskMaxMs): Promise<void> {
  const { clock } = site;
  const { api } = site.client;
  const upid = parseUpid(started);
  const task = api.nodes.$(upid.node).tasks.$(upid.text);
  let unanswered = 0;
  const untilMs = clock.monotonicMs() + limitMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.6, pauseMaxMs)) {
    try {
      const { status, exitstatus } = await task.status.$get();
      unanswered = 0;
      if (status === 'stopped') return await judge(api, upid, exitstatus ?? 'no exit status');
    } catch (error) {
      if (!(error instanceof PveError) || error.message.startsWith(failedPrefix)) throw error;
      unanswered += 1;
      if (unanswered >= unansweredMax || error.status === 401 || error.status === 403) throw error;
    }
    if (clock.monotonicMs() > untilMs)
      throw new PveError(upid.text, { status: 0, reason: `${failedPrefix}${upid.type} does not end` });
    await clock.sleep(pauseMs * (0.75 + Math.random() / 2));
  }
}

const failedPrefix = 'the task ';

async function judge(api: PveApi, upid: Upid, exit: string): Promise<void> {
  if (exit === 'OK' || exit.startsWith('WARNINGS')) return;
  const log = await api.nodes
    .$(upid.node)
    .tasks.$(upid.text)
    .log.$get({ start: 0, limit: logLines })
    .catch(() => []);
  const lines = log.map((line) => line.t).filter((line) => !line.startsWith('TASK ') && line.trim() !== '');
  const why = [exit, ...lines.slice(-5)].join(' | ');
  throw new PveError(upid.text, { status: 500, reason: `${failedPrefix}${upid.type} ended: ${why}` });
}
