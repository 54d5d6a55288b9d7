import type { Clock } from '@lebureau/kit/clock';
import type { GuestDoor } from './act.ts';
import { within, type Slots } from './limit.ts';
import type { Assignment } from './orders.ts';

export interface MemberHealthParts {
  guests: Pick<GuestDoor, 'identity'>;
  clock: Clock;
  /** Bounds how many guests of a node are asked at once. */
  slots: Slots;
}

const everyMs = 30_000;
/** After a failure it is asked again soon. */
const againMs = 5_000;
const answerLimitMs = 5_000;
const failuresMax = 2;

/**
 * Asks the guest of a machine that waits who it is, now and then: nobody uses it, so nobody else would notice that it
 * hangs before a desktop gets it.
 */
export class MemberHealth {
  private readonly parts: MemberHealthParts;
  private failures = 0;
  private dueAtMs: number;

  constructor(parts: MemberHealthParts) {
    this.parts = parts;
    this.dueAtMs = parts.clock.monotonicMs() + everyMs;
  }

  /** It was asked twice and did not answer. */
  get isSilent(): boolean {
    return this.failures >= failuresMax;
  }

  /** What it did so far counts no more: it was started anew, or is somebody's now. */
  reset(): void {
    this.failures = 0;
    this.dueAtMs = this.parts.clock.monotonicMs() + everyMs;
  }

  /**
   * Asks if it is time to. @param mark who the guest should take itself for
   * @returns `other`: it answers and takes itself for somebody else
   */
  async look(order: Assignment, mark: string, signal: AbortSignal): Promise<'fine' | 'other'> {
    const { clock, guests, slots } = this.parts;
    if (clock.monotonicMs() < this.dueAtMs) return 'fine';
    const limit = { clock, limitMs: answerLimitMs, code: 'guest_unreachable', doing: 'get an answer from the guest' };
    const asked = slots.run(() => within(guests.identity(order, signal), limit));
    const answer = await Promise.race([asked.then((known) => ({ known }), silence), left(signal)]);
    if (signal.aborted) return 'fine';
    this.failures = answer === undefined ? this.failures + 1 : 0;
    this.dueAtMs = clock.monotonicMs() + (answer === undefined ? againMs : everyMs);
    return answer === undefined || answer.known === mark ? 'fine' : 'other';
  }
}

function silence(): undefined {
  return undefined;
}

/** Whoever gets the machine meanwhile does not wait for an answer. */
function left(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
