import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { settled } from './limit.ts';
import type { AssignmentList, OrderDesk } from './orders.ts';

/** The wait of a long poll; a full list comes at least this often. */
export const pollWaitSeconds = 25;
const answerSlackMs = 10_000;

export interface Poll {
  desk: OrderDesk;
  clock: Clock;
  epoch: number;
  after?: string;
  waitSeconds: number;
  signal: AbortSignal;
}

/**
 * One long poll. An answer that comes after its limit is thrown away: it may be older than what another call brought.
 * @throws Fault `api_unreachable` when the API answers nothing in time.
 */
export async function pollOrders(poll: Poll): Promise<AssignmentList> {
  return inTime(poll, poll.waitSeconds * 1000 + answerSlackMs, (signal) =>
    poll.desk.assignments({ epoch: poll.epoch, after: poll.after, waitSeconds: poll.waitSeconds }, signal),
  );
}

/** Calls the API and aborts the call when it takes longer than `limitMs`. */
export async function inTime<Value>(
  patience: { clock: Clock; signal: AbortSignal },
  limitMs: number,
  call: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const answered = new AbortController();
  const abort = new AbortController();
  const stop = () => abort.abort(settled);
  patience.signal.addEventListener('abort', stop, { once: true });
  const tooLate = patience.clock.sleep(limitMs, answered.signal).then(() => {
    if (answered.signal.aborted) return new Promise<never>(() => {});
    abort.abort(settled);
    throw new Fault('api_unreachable', `The API did not answer within ${limitMs / 1000} s.`);
  });
  const stopped = new Promise<never>((_, reject) => {
    abort.signal.addEventListener('abort', () => reject(new Fault('api_unreachable', 'The call was given up.')), {
      once: true,
    });
  });
  stopped.catch(() => {});
  try {
    return await Promise.race([call(abort.signal), tooLate, stopped]);
  } finally {
    answered.abort(settled);
    patience.signal.removeEventListener('abort', stop);
  }
}
