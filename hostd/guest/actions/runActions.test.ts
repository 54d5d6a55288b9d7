import { systemClock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { afterEach, expect, test } from 'vitest';
import { Display } from '../display/display.ts';
import { FrameStore } from '../display/frameStore.ts';
import { ScriptedServer } from '../display/scriptedServer.ts';
import { HeldInputs } from '../input/heldInputs.ts';
import { RfbHands } from '../input/rfbHands.ts';
import { runActions } from './runActions.ts';
import type { Action, ActionBatch, ActionContext, GuestSide } from './types.ts';

const never = new AbortController().signal;
const open: Display[] = [];
afterEach(() => open.splice(0).forEach((display) => display.close()));

/** The hypervisor's hands on a scripted screen, and a guest side that does not answer. */
function desk() {
  const server = new ScriptedServer(1280, 800);
  const display = new Display({ open: async () => ({ stream: server.stream }), clock: systemClock, log: silentLog });
  open.push(display);
  const hands = new RfbHands(display, systemClock);
  const absent = () => Promise.reject(new Fault('guest_unreachable', 'Not there.'));
  const guest: GuestSide = { windows: absent, activeWindow: absent, findText: absent, openUrl: absent, paste: absent };
  const held = new HeldInputs(hands);
  const context: ActionContext = {
    display,
    frames: new FrameStore(systemClock),
    hands,
    held,
    guest,
    clock: systemClock,
  };
  const run = (actions: Action[], over: Partial<ActionBatch> = {}, signal = never) =>
    runActions({ actions, screenshot: false, ...over }, context, signal);
  const pressed = () =>
    server.keys
      .filter(({ keysym }) => keysym !== 0xff14)
      .map(({ keysym, down }) => `${down ? '+' : '-'}${keysym.toString(16)}`);
  return { server, display, context, run, pressed };
}

test('a chord is pressed in order and released in reverse, letters as the keys they name', async () => {
  const { run, pressed } = desk();
  await run([{ action: 'key', keys: ['CTRL', 'SHIFT', 'A'] }]);
  expect(pressed()).toEqual(['+ffe3', '+ffe1', '+61', '-61', '-ffe1', '-ffe3']);
});

test('text goes with the shift keys of the US layout, and other text is refused without the guest', async () => {
  const { run, pressed } = desk();
  await run([{ action: 'type', text: 'aB', pressEnter: true }]);
  expect(pressed()).toEqual(['+61', '-61', '+ffe1', '+42', '-42', '-ffe1', '+ff0d', '-ff0d']);
  const result = await run([
    { action: 'type', text: 'é' },
    { action: 'key', keys: ['a'] },
  ]);
  expect(result).toMatchObject({ completed: 0, results: [{ ok: false, error: { code: 'guest_unreachable' } }] });
  expect(result.results).toHaveLength(1);
});

test('a click in a frame goes to the place on the screen, with its modifiers held around it', async () => {
  const { run, server, pressed, context } = desk();
  const { frame } = context.frames.add(
    await context.display.fresh(),
    { region: { x: 100, y: 50, width: 200, height: 100 }, width: 400, height: 200 },
    'x',
  );
  const coordinates = { frameId: frame.frameId };
  await run([{ action: 'click', x: 100, y: 100, button: 'right', count: 2, modifiers: ['alt'] }], { coordinates });
  expect(server.pointers.map(({ buttons, x, y }) => [buttons, x, y])).toEqual([
    [0, 150, 100],
    [4, 150, 100],
    [0, 150, 100],
    [4, 150, 100],
    [0, 150, 100],
  ]);
  expect(pressed()).toEqual(['+ffe9', '-ffe9']);
});

test('nothing is done when anything of the batch is refused', async () => {
  const { run, server, pressed } = desk();
  const first: Action = { action: 'key', keys: ['x'] };
  const refused: [Action, string][] = [
    [{ action: 'click', x: 1282, y: 0 }, 'out_of_bounds'],
    [{ action: 'click', x: 3 }, 'invalid_request'],
    [
      {
        action: 'drag',
        path: [
          { x: 0, y: 0 },
          { x: 0, y: -5 },
        ],
      },
      'out_of_bounds',
    ],
    [{ action: 'zoom', region: { x: 0, y: 0, width: 5000, height: 1 } }, 'out_of_bounds'],
    [{ action: 'keyDown', key: 'Enterr' }, 'unknown_key'],
    [{ action: 'move', x: 0, y: 0, modifiers: ['ctrll'] }, 'unknown_key'],
    [{ action: 'type', text: 'a\u0000b' }, 'invalid_request'],
    [{ action: 'type', text: '\ud83d' }, 'invalid_request'],
    [{ action: 'scroll', dy: 5000 }, 'invalid_request'],
    [{ action: 'waitUntil', until: 'window' }, 'invalid_request'],
    [{ action: 'openUrl', url: 'javascript:alert(1)' }, 'invalid_request'],
  ];
  for (const [action, code] of refused) {
    await expect(run([first, action])).rejects.toMatchObject({ code, extra: { members: { actionIndex: 1 } } });
  }
  await expect(run(Array.from({ length: 101 }, () => first))).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(run([first], { coordinates: { frameId: 'fr_01k9x3v6m8e9t2q4r6s8v0w2y4' } })).rejects.toMatchObject({
    code: 'stale_frame',
    extra: { members: { screenshot: { unchanged: false, frame: { width: 1280 }, images: [{ format: 'webp' }] } } },
  });
  expect([pressed(), server.pointers]).toEqual([[], []]);
});

test('the first failure ends the batch and lets go of all', async () => {
  const { run, server, pressed } = desk();
  const result = await run([
    { action: 'keyDown', key: 'shift' },
    { action: 'mouseDown', x: 5, y: 6 },
    { action: 'waitUntil', until: 'window', text: 'never' },
    { action: 'key', keys: ['x'] },
  ]);
  expect(result.results.map(({ ok }) => ok)).toEqual([true, true, false]);
  expect(pressed()).toEqual(['+ffe1', '-ffe1']);
  expect(server.pointers.at(-1)).toEqual({ buttons: 0, x: 5, y: 6 });
});

test('an abort lets go of all, in the middle of a drag too', async () => {
  const { run, server, pressed } = desk();
  const gone = new AbortController();
  const path = [
    { x: 0, y: 0 },
    { x: 900, y: 0 },
  ];
  const running = run(
    [
      { action: 'keyDown', key: 'ctrl' },
      { action: 'drag', path, durationMs: 5000, modifiers: ['shift'] },
    ],
    {},
    gone.signal,
  );
  await expect.poll(() => server.pointers.some(({ buttons }) => buttons === 1)).toBe(true);
  gone.abort(new Error('client gone'));
  await expect(running).rejects.toThrow('client gone');
  expect(server.pointers.at(-1)!.buttons).toBe(0);
  expect(server.pointers.some(({ buttons }) => buttons === 1)).toBe(true);
  expect(pressed().toSorted()).toEqual(['+ffe1', '+ffe3', '-ffe1', '-ffe3']);
});

test('a drag follows its path and takes its time', async () => {
  const { run, server } = desk();
  const startMs = performance.now();
  await run([
    {
      action: 'drag',
      path: [
        { x: 10, y: 10 },
        { x: 110, y: 10 },
        { x: 110, y: 210 },
      ],
      durationMs: 200,
    },
  ]);
  expect(performance.now() - startMs).toBeGreaterThan(180);
  const dragged = server.pointers.filter(({ buttons }) => buttons === 1);
  expect(dragged.length).toBeGreaterThan(8);
  expect(dragged.at(-1)).toMatchObject({ x: 110, y: 210 });
  expect(dragged.every(({ x, y }) => y === 10 || x === 110)).toBe(true);
});

test('after the actions the screen settles, then one frame shows what came of them', async () => {
  const { run, server } = desk();
  let drawn = 0;
  const paint = setInterval(() => server.draw({ x: 0, y: 0, width: 50, height: 50, colour: ++drawn }), 30);
  setTimeout(() => clearInterval(paint), 300);
  const startMs = performance.now();
  const result = await run([{ action: 'move', x: 3, y: 4 }], {
    // Twenty times as long as the painter pauses: a busy machine is no quiet screen.
    settle: { quietMs: 600, timeoutMs: 10_000 },
    screenshot: { format: 'png', maxEdge: 640 },
  });
  expect(result).toMatchObject({
    settled: true,
    cursor: { x: 3, y: 4 },
    activeWindow: null,
    screenshot: { frame: { width: 640, height: 400 } },
  });
  expect(performance.now() - startMs).toBeGreaterThan(850);
  const restless = setInterval(() => server.draw({ x: 0, y: 0, width: 50, height: 50, colour: ++drawn }), 20);
  const unsettled = await run([{ action: 'move', x: 3, y: 4 }], { settle: { quietMs: 600, timeoutMs: 700 } });
  clearInterval(restless);
  expect([unsettled.settled, unsettled.completed, unsettled.screenshot]).toEqual([false, 1, null]);
});

test('the wheel turns by clicks, and pixels are made clicks', async () => {
  const { run, server } = desk();
  await run([
    { action: 'scroll', x: 9, y: 9, dy: 2 },
    { action: 'scroll', dy: -120, unit: 'pixel' },
    { action: 'scroll', dy: 3, unit: 'pixel' },
  ]);
  expect(server.pointers.map(({ buttons }) => buttons).filter((buttons) => buttons > 0)).toEqual([16, 16, 8, 8, 16]);
});
