import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { runLoop } from '@lebureau/kit/loop';
import type { GuestConnection } from '../guest/server/connection.ts';
import type { GuestHandlers } from '../guest/server/operation.ts';
import type { GuestServerOptions } from '../guest/server/server.ts';
import type { Hostd } from '../hostd.ts';
import { controlHandlers } from './controlHandlers.ts';
import { ControlLeases, type Holder } from './controlLeases.ts';
import { guardInput } from './guardInput.ts';
import { streamKinds } from './kinds.ts';
import { leaseRecordOf } from './leaseRecord.ts';
import { type GiveRecording, LeftRecordings } from './leftRecordings.ts';
import { Recordings } from './recordings.ts';
import { StreamDoor } from './streamDoor.ts';
import { recordingTaker, terminalHandlers } from './terminalHandlers.ts';

/** Live streams of this node, and who may write on its desktops. */
export interface Live {
  /** These handlers and ours; those that write ask who holds control. */
  guard(handlers: GuestHandlers): GuestHandlers;
  /** What needs no guest. */
  guestless: GuestServerOptions['guestless'];
  door(connect: (assignmentId: string) => GuestConnection): StreamDoor;
  holderOf: (assignmentId: string) => Holder | null;
  /** The desktop goes for good. */
  forget: (assignmentId: string) => void;
  /** The desktop goes on at another node. */
  moved: (assignmentId: string) => void;
  /** Removes now and then what nobody needs any more, until the signal aborts. */
  sweep(hostd: Hostd, signal: AbortSignal): Promise<void>;
  /** How many recordings are kept. */
  recordingsCount: () => number;
}

const sweepEveryMs = 1_800_000;
const sendEveryMs = 10_000;

export function openLive(parts: {
  home: string;
  clock: Clock;
  log: Log;
  /** Somebody else holds control of it now, or nobody. */
  onControl: (assignmentId: string) => void;
  /** `identityVersion` of its order, where that is known. */
  versionOf: (assignmentId: string) => number | undefined;
  giveRecording: GiveRecording;
}): Live {
  const { clock, log, versionOf } = parts;
  const record = leaseRecordOf(parts.home);
  const leases = new ControlLeases({ clock, record, versionOf, onChange: parts.onControl });
  const recordings = new Recordings(parts.home, clock);
  const left = new LeftRecordings({ recordings, give: parts.giveRecording, clock, log });
  return {
    guard: (handlers) =>
      guardInput({ ...handlers, ...controlHandlers(leases), ...terminalHandlers(recordings) }, leases),
    guestless: { putTerminalRecording: recordingTaker(recordings) },
    recordingsCount: () => recordings.count(),
    door: (connect) => new StreamDoor({ kinds: streamKinds({ leases, recordings }), connect, clock, log }),
    holderOf: (assignmentId) => leases.of(assignmentId).holder,
    forget: (assignmentId) => recordings.removeAll(assignmentId),
    moved: (assignmentId) => leases.end(assignmentId),
    sweep: (hostd, signal) => {
      let sweptAtMs = clock.monotonicMs();
      const every = { intervalMs: sendEveryMs, backoffMaxMs: sweepEveryMs };
      return runLoop({ name: 'recordings', clock, log, signal, ...every }, async () => {
        const { epoch } = hostd;
        // Before the orders have come every recording looks as if it were nobody's.
        if (!hostd.knowsOrders || epoch === undefined) return;
        const isKnown = (assignmentId: string) => hostd.find(assignmentId) !== undefined;
        await left.send(epoch, isKnown, signal);
        if (clock.monotonicMs() - sweptAtMs < sweepEveryMs) return;
        sweptAtMs = clock.monotonicMs();
        recordings.sweep(isKnown);
      });
    },
  };
}
