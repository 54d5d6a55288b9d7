import { type Clock, systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, expect, test } from 'vitest';
import { Display } from './display.ts';
import { FrameStore } from './frameStore.ts';
import { takeShot } from './screenshot.ts';
import { ScriptedServer } from './scriptedServer.ts';

const open: Display[] = [];
afterEach(() => open.splice(0).forEach((display) => display.close()));

function look(server: ScriptedServer, over: { clock?: Clock; idleCloseMs?: number } = {}) {
  const clock = over.clock ?? systemClock;
  let opened = 0;
  const servers = [server];
  const display = new Display({
    open: async () => ({ stream: servers[Math.min(opened++, servers.length - 1)]!.stream }),
    clock,
    log: silentLog,
    idleCloseMs: over.idleCloseMs,
  });
  open.push(display);
  const frames = new FrameStore(clock);
  return { display, frames, servers, opened: () => opened, shot: (wish = {}) => takeShot(display, frames, wish) };
}

test('only what changed since a frame comes, where it stands in the frame', async () => {
  const server = new ScriptedServer(640, 480);
  const { shot, display } = look(server);
  const first = await shot({ format: 'webp' });
  expect(first).toMatchObject({
    unchanged: false,
    pictures: [{ x: 0, y: 0, width: 640, height: 480, format: 'webp' }],
  });
  expect(await shot({ since: first.frame.frameId })).toMatchObject({
    unchanged: true,
    pictures: [],
    frame: { hash: first.frame.hash },
  });

  server.draw({ x: 130, y: 70, width: 3, height: 3, colour: 0xff0000 });
  display.noteInput();
  const changed = await shot({ since: first.frame.frameId });
  expect(changed.pictures.map(({ x, y, width, height }) => [x, y, width, height])).toEqual([[128, 64, 64, 64]]);
  expect(changed.frame.hash).not.toBe(first.frame.hash);

  server.draw({ x: 0, y: 0, width: 640, height: 400, colour: 0x00ff00 });
  display.noteInput();
  expect((await shot({ since: changed.frame.frameId })).pictures.map(({ height }) => height)).toEqual([480]);
});

test('a region and a scale are kept for what is compared with them', async () => {
  const server = new ScriptedServer(640, 480);
  const { shot, display } = look(server);
  const region = { x: 64, y: 64, width: 200, height: 100 };
  const part = await shot({ region, maxEdge: 100 });
  expect(part.frame).toMatchObject({ width: 100, height: 50, scale: 0.5, region, screenWidth: 640 });
  server.draw({ x: 0, y: 300, width: 9, height: 9, colour: 1 });
  display.noteInput();
  expect((await shot({ since: part.frame.frameId })).unchanged).toBe(true);
  server.draw({ x: 100, y: 100, width: 9, height: 9, colour: 1 });
  display.noteInput();
  expect((await shot({ since: part.frame.frameId })).pictures).toMatchObject([{ x: 0, y: 0, width: 100, height: 50 }]);
  expect(
    (await shot({ since: part.frame.frameId, region: { x: 0, y: 0, width: 10, height: 10 } })).pictures,
  ).toMatchObject([{ width: 10 }]);
  await expect(shot({ region: { x: 600, y: 0, width: 60, height: 10 } })).rejects.toMatchObject({
    code: 'out_of_bounds',
  });
});

test('a frame is forgotten after ten minutes and when the screen gets another size', async () => {
  let skippedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => performance.now() + skippedMs };
  const server = new ScriptedServer(320, 200);
  const { shot, frames, display } = look(server, { clock });
  const old = await shot();
  const framebuffer = await display.fresh();
  expect(frames.find(old.frame.frameId, framebuffer)).toBeDefined();
  skippedMs = 600_001;
  expect(frames.find(old.frame.frameId, framebuffer)).toBeUndefined();
  const young = await shot();
  server.resize(400, 300);
  display.noteInput();
  expect((await shot({ since: young.frame.frameId })).frame).toMatchObject({ screenWidth: 400, width: 400 });
  expect(frames.find(young.frame.frameId, await display.fresh())).toBeUndefined();
});

test('what came of input is in the next picture, and a silent display is a failure', async () => {
  const server = new ScriptedServer(320, 200);
  const { shot, display } = look(server);
  const before = await shot();
  server.silent = true;
  server.draw({ x: 5, y: 5, width: 5, height: 5, colour: 0xff });
  display.noteInput();
  setTimeout(() => {
    server.silent = false;
    server.draw({ x: 100, y: 5, width: 5, height: 5, colour: 0xff });
  }, 50);
  expect((await shot({ since: before.frame.frameId })).unchanged).toBe(false);
  server.silent = true;
  display.noteInput();
  await expect(display.fresh(100)).rejects.toMatchObject({ code: 'capture_failed' });
});

test('a lost connection is opened again and frames stay comparable', async () => {
  const { shot, servers, display, opened } = look(new ScriptedServer(320, 200));
  servers.push(new ScriptedServer(320, 200));
  const before = await shot();
  servers[0]!.drop();
  await systemClock.sleep(20);
  display.noteInput();
  expect((await shot({ since: before.frame.frameId })).unchanged).toBe(true);
  expect(opened()).toBe(2);
});

test('a display that cannot be reached is told after a few tries', async () => {
  let tries = 0;
  const display = new Display({
    open: async () => {
      tries += 1;
      throw new Error('no such socket');
    },
    clock: systemClock,
    log: silentLog,
  });
  await expect(display.fresh()).rejects.toMatchObject({ code: 'guest_unreachable' });
  expect(tries).toBe(3);
});

test('a connection without use is closed', async () => {
  const { shot, servers, opened } = look(new ScriptedServer(320, 200), { idleCloseMs: 100 });
  await shot();
  await expect.poll(() => servers[0]!.stream.destroyed, { timeout: 3000 }).toBe(true);
  servers.push(new ScriptedServer(320, 200));
  await shot();
  expect(opened()).toBe(2);
});

test('the screen is quiet when nothing changed for long enough, in the part that matters', async () => {
  const server = new ScriptedServer(320, 200);
  const { display } = look(server);
  let x = 0;
  // No timer draws, which could come too late under load: no two pictures are the same.
  server.beforeAnswer = () => server.draw({ x: 200 + (x++ % 50), y: 100, width: 1, height: 1, colour: x });
  expect(await display.quiet({ quietMs: 250, timeoutMs: 400 })).toBe(false);
  const region = { x: 0, y: 0, width: 64, height: 64 };
  expect(await display.quiet({ quietMs: 250, timeoutMs: 400, region })).toBe(true);
  server.beforeAnswer = undefined;
  expect(await display.quiet({ quietMs: 150, timeoutMs: 10_000 })).toBe(true);
  await expect(display.quiet({ quietMs: 5000, timeoutMs: 9000 }, AbortSignal.timeout(50))).rejects.toThrow(/timed out/);
});
