import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import type { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { type GivenRecording, LeftRecordings } from '../leftRecordings.ts';
import { Recordings } from '../recordings.ts';

/** Another node for these recordings, and the API between both: `fails` says what becomes of the n-th piece. */
export function startOtherNode(parts: {
  clock: Clock;
  recordings: Recordings;
  fails?: ((count: number) => Fault | undefined) | undefined;
}) {
  const { clock, recordings, fails = () => undefined } = parts;
  const folder = mkdtempSync(join(tmpdir(), 'lb-recordings-'));
  const there = new Recordings(folder, clock);
  let count = 0;
  const give = async (given: GivenRecording) => {
    const fault = fails(++count);
    if (fault?.code !== 'lost_request' && fault !== undefined) there.take(given);
    if (fault !== undefined) throw fault;
    there.take(given);
    return { isWanted: true };
  };
  return { folder, there, left: new LeftRecordings({ recordings, give, clock, log: silentLog }), calls: () => count };
}
