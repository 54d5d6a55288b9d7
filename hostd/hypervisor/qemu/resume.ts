import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Qmp } from './qmp.ts';

export interface ResumeOptions {
  /** The run state of QEMU that was seen. */
  word: string;
  clock: Clock;
  diskFreeMiB: () => Promise<number>;
  diskReserveMiB: number;
}

export const diskFullTrouble =
  'The guest is halted because the disk of the node is full. It goes on when there is room.';

/** In these the guest has ended or has not begun: there is nothing to go on with. */
const notHalted = new Set([
  'shutdown',
  'guest-panicked',
  'internal-error',
  'prelaunch',
  'preconfig',
  'inmigrate',
  'finish-migrate',
]);
const wakeTimeoutMs = 3000;
/** A guest that was halted by a full disk repeats its write at once; by then it is halted again or goes on. */
const repeatedWriteMs = 300;
const pollMs = 50;

/**
 * Lets a guest that stopped in the middle of its work go on, with everything in its memory.
 * @returns whether it runs now. @throws Fault `disk_full` when it must stay halted; its memory is kept.
 */
export async function resumeGuest(qmp: Pick<Qmp, 'execute'>, options: ResumeOptions): Promise<boolean> {
  const { word, clock } = options;
  if (notHalted.has(word)) return false;
  if (word === 'io-error' && (await options.diskFreeMiB()) <= options.diskReserveMiB)
    throw new Fault('disk_full', diskFullTrouble);
  await qmp.execute(word === 'suspended' ? 'system_wakeup' : 'cont');
  if (word === 'io-error') await clock.sleep(repeatedWriteMs);
  const untilMs = clock.monotonicMs() + wakeTimeoutMs;
  for (;;) {
    const { status } = (await qmp.execute('query-status')) as { status?: unknown };
    if (status === 'running') return true;
    if (status === 'io-error') throw new Fault('disk_full', diskFullTrouble);
    if (clock.monotonicMs() >= untilMs) return false;
    await clock.sleep(pollMs);
  }
}
