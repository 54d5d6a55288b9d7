import { DuplexEnd } from '@lebureau/kit/duplexEnd';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { systemClock } from '@lebureau/kit/clock';
import { type ServerSocketData, serverSocketHandlers } from '@lebureau/kit/serverSocketEnd';
import { expect, onTestFinished, test } from 'vitest';
import { connectedPair } from '../guest/display/scriptedServer.ts';
import { StreamDoor } from './streamDoor.ts';

const assignmentId = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';

/** A door behind which displays open when `open` is told to, on a port of this machine. */
function world() {
  const opening = Promise.withResolvers<void>();
  opening.promise.catch(() => {});
  const seen = { opened: 0 };
  const unused = () => Promise.reject(new Error('not asked for'));
  const door = new StreamDoor({
    clock: systemClock,
    log: silentLog,
    connect: () => ({ hold: () => () => {} }) as never,
    kinds: {
      vnc: async () => {
        seen.opened += 1;
        await opening.promise;
        return new DuplexEnd(connectedPair()[0]);
      },
      terminal: unused,
      port: unused,
    },
  });
  const server = Bun.serve<ServerSocketData>({
    hostname: '127.0.0.1',
    port: 0,
    websocket: serverSocketHandlers,
    fetch: (request, it) => door.answer(request, it) ?? new Response(null, { status: 418 }),
  });
  onTestFinished(() => server.stop(true));
  const at = `127.0.0.1:${server.port}/guest/${assignmentId}/streams/vnc?mode=view`;
  const socket = (behind: string) => {
    const made = new WebSocket(`ws://${at}`, { headers: { 'x-behind': behind, 'x-caller': 'key_x' } } as never);
    const outcome = new Promise<string>((resolve) => {
      made.addEventListener('open', () => resolve('open'));
      made.addEventListener('error', () => resolve('refused'));
    });
    return { made, outcome };
  };
  const ask = async (headers: Record<string, string>) => {
    const answer = await fetch(`http://${at}`, { headers });
    return { status: answer.status, ...(answer.status === 204 ? {} : ((await answer.json()) as { hint?: string })) };
  };
  return { socket, ask, seen, letOpen: opening.resolve, failOpen: opening.reject };
}

test('of many who come at once, with whatever keys, so many come in as a person may have; who leaves makes room', async () => {
  const { socket, ask, seen, letOpen } = world();
  const sockets = Array.from({ length: 40 }, () => socket('usr_viewer'));
  await expect.poll(() => seen.opened).toBe(12);
  letOpen();
  const outcomes = await Promise.all(sockets.map(({ outcome }) => outcome));
  expect(outcomes.filter((each) => each === 'open').length).toBe(12);
  expect(await ask({ 'x-behind': 'usr_viewer' })).toMatchObject({
    status: 429,
    code: 'rate_limited',
    hint: 'Close one of them, then open this one.',
  });
  // An API that is older names the key alone.
  expect(await ask({ 'x-caller': 'usr_viewer' })).toMatchObject({ status: 429 });
  expect(await ask({ 'x-behind': 'usr_owner' })).toEqual({ status: 204 });
  expect(await socket('usr_owner').outcome).toBe('open');
  sockets[outcomes.indexOf('open')]!.made.close();
  await expect.poll(() => ask({ 'x-behind': 'usr_viewer' })).toEqual({ status: 204 });
});

test('what could not be opened holds no place', async () => {
  const { socket, ask, seen, failOpen } = world();
  failOpen(new Fault('guest_unreachable', 'The display cannot be reached.'));
  for (let round = 0; round < 3; round++)
    await Promise.all(Array.from({ length: 8 }, () => socket('usr_viewer').outcome));
  expect(seen.opened).toBe(24);
  expect(await ask({ 'x-behind': 'usr_viewer' })).toEqual({ status: 204 });
});
