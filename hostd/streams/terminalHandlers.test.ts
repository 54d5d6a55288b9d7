import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { expect, test } from 'vitest';
import { serveGuests } from '../guest/server/server.ts';
import { VirtualClock } from '../virtualclock.ts';
import { Recordings } from './recordings.ts';
import { recordingTaker } from './terminalHandlers.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';

test('recordings are taken of a desktop that is off, piece by piece and none too large', async () => {
  const home = mkdtempSync(join(tmpdir(), 'lb-taken-'));
  const clock = new VirtualClock();
  const recordings = new Recordings(home, clock);
  const socket = join(home, 'guest.sock');
  const connect = () => {
    throw new Fault('not_ready', 'The desktop is not running.');
  };
  const guestless = { putTerminalRecording: recordingTaker(recordings) };
  const server = serveGuests({ socket, handlers: {}, guestless, connect, clock, log: silentLog });
  const put = async (bytes: string, query: Record<string, number>) => {
    const given = Object.entries({ beganAt: 5, changedAtMs: 1_000, ...query }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const path = `http://node/guest/${asg}/terminals/main/recording?${given.join('&')}`;
    const answer = await fetch(path, { unix: socket, method: 'PUT', body: bytes } as RequestInit);
    return answer.status;
  };
  const header = `${JSON.stringify({ version: 2, timestamp: 5 })}\n`;
  const totalBytes = header.length + 3;
  expect(await put(header, { offset: 0, totalBytes })).toBe(204);
  expect(await put('[1]', { offset: 9, totalBytes })).toBe(409);
  expect(await put('[]\n', { offset: header.length, totalBytes })).toBe(204);
  expect(await new Response(recordings.read(asg, 'main')).text()).toBe(`${header}[]\n`);
  expect(await put('x'.repeat(4_194_305), { offset: 0, totalBytes: 5_000_000 })).toBe(413);
  await server.close(0);
});
