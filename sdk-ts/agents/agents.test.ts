import { expect, test } from 'vitest';
import type { Action } from '../types.ts';
import { UnknownCallError } from './action.ts';
import * as anthropic from './anthropic.ts';
import * as gemini from './gemini.ts';
import * as openai from './openai.ts';
import { fitPicture, pictureLimits, tokensOf } from './pictureLimits.ts';
import { toAnthropicResults, toGeminiResponses, toOpenAIOutput } from './results.ts';
import { rescale } from './space.ts';
import { Fake } from '../testing/fake.ts';
import * as agents from '../agents.ts';

test('one import has the whole loop of each vendor', async () => {
  const desktop = await new Fake().client().desktops.create();
  const { frame } = await desktop.computer.screenshot();
  const calls = [{ name: 'left_click', input: { coordinate: [1, 2] as [number, number] } }];
  const result = await desktop.computer.actions({
    ...agents.anthropic.toBatch(calls, frame),
    screenshot: { format: 'png' },
  });
  expect(agents.anthropic.toResults(['id'], result)).toMatchObject([{ tool_use_id: 'id' }]);
  for (const vendor of Object.values(agents))
    expect(Object.keys(vendor)).toEqual(expect.arrayContaining(['toBatch', 'toResults', 'fromAction']));
});

const anthropicTable: [anthropic.AnthropicCall, Action][] = [
  [{ name: 'screenshot', input: {} }, { action: 'screenshot' }],
  [
    { name: 'zoom', input: { region: [10, 20, 110, 70] } },
    { action: 'zoom', region: { x: 10, y: 20, width: 100, height: 50 } },
  ],
  [
    { name: 'mouse_move', input: { coordinate: [1, 2] } },
    { action: 'move', x: 1, y: 2 },
  ],
  [
    { name: 'left_click', input: { coordinate: [1, 2], text: 'ctrl+shift' } },
    { action: 'click', x: 1, y: 2, button: 'left', count: 1, modifiers: ['ctrl', 'shift'] },
  ],
  [
    { name: 'right_click', input: { coordinate: [1, 2] } },
    { action: 'click', x: 1, y: 2, button: 'right', count: 1 },
  ],
  [
    { name: 'middle_click', input: {} },
    { action: 'click', button: 'middle', count: 1 },
  ],
  [
    { name: 'double_click', input: { coordinate: [1, 2] } },
    { action: 'click', x: 1, y: 2, button: 'left', count: 2 },
  ],
  [
    { name: 'triple_click', input: { coordinate: [1, 2] } },
    { action: 'click', x: 1, y: 2, button: 'left', count: 3 },
  ],
  [
    { name: 'left_mouse_down', input: {} },
    { action: 'mouseDown', button: 'left' },
  ],
  [
    { name: 'left_mouse_up', input: {} },
    { action: 'mouseUp', button: 'left' },
  ],
  [
    { name: 'left_click_drag', input: { start_coordinate: [1, 2], coordinate: [3, 4] } },
    {
      action: 'drag',
      path: [
        { x: 1, y: 2 },
        { x: 3, y: 4 },
      ],
    },
  ],
  [
    { name: 'scroll', input: { coordinate: [1, 2], scroll_direction: 'up', scroll_amount: 4 } },
    { action: 'scroll', x: 1, y: 2, dx: 0, dy: -4, unit: 'wheel' },
  ],
  [
    { name: 'scroll', input: { scroll_direction: 'right', scroll_amount: 2 } },
    { action: 'scroll', dx: 2, dy: 0, unit: 'wheel' },
  ],
  [
    { name: 'type', input: { text: 'é€日本語' } },
    { action: 'type', text: 'é€日本語' },
  ],
  [
    { name: 'key', input: { text: 'ctrl+s' } },
    { action: 'key', keys: ['ctrl', 's'] },
  ],
  [
    { name: 'hold_key', input: { text: 'w', duration: 1.5 } },
    { action: 'holdKey', keys: ['w'], durationMs: 1500 },
  ],
  [
    { name: 'wait', input: { duration: 2 } },
    { action: 'wait', durationMs: 2000 },
  ],
  [{ name: 'cursor_position', input: {} }, { action: 'cursorPosition' }],
];

test.each(anthropicTable)('Anthropic %j both ways, in both versions', (call, action) => {
  expect(anthropic.toAction(call)).toEqual(action);
  expect(anthropic.toAction(anthropic.asSingleTool(call))).toEqual(action);
  expect(anthropic.fromAction(action)).toEqual(call);
});

const openaiTable: [openai.OpenAIAction, Action][] = [
  [{ type: 'screenshot' }, { action: 'screenshot' }],
  [{ type: 'wait' }, { action: 'wait', durationMs: 2000 }],
  [
    { type: 'click', x: 1, y: 2, button: 'left', keys: ['CTRL'] },
    { action: 'click', x: 1, y: 2, button: 'left', count: 1, modifiers: ['CTRL'] },
  ],
  [
    { type: 'click', x: 1, y: 2, button: 'wheel' },
    { action: 'click', x: 1, y: 2, button: 'middle', count: 1 },
  ],
  [
    { type: 'double_click', x: 1, y: 2 },
    { action: 'click', x: 1, y: 2, button: 'left', count: 2 },
  ],
  [
    { type: 'move', x: 1, y: 2 },
    { action: 'move', x: 1, y: 2 },
  ],
  [
    {
      type: 'drag',
      path: [
        { x: 1, y: 2 },
        { x: 3, y: 4 },
        { x: 5, y: 6 },
      ],
    },
    {
      action: 'drag',
      path: [
        { x: 1, y: 2 },
        { x: 3, y: 4 },
        { x: 5, y: 6 },
      ],
    },
  ],
  [
    { type: 'scroll', x: 1, y: 2, scroll_x: 0, scroll_y: 300 },
    { action: 'scroll', x: 1, y: 2, dx: 0, dy: 300, unit: 'pixel' },
  ],
  [
    { type: 'keypress', keys: ['CTRL', 'A'] },
    { action: 'key', keys: ['CTRL', 'A'] },
  ],
  [
    { type: 'type', text: 'hi' },
    { action: 'type', text: 'hi' },
  ],
];

test.each(openaiTable)('OpenAI %j both ways', (call, action) => {
  expect(openai.toAction(call)).toEqual(action);
  expect(openai.fromAction(action)).toEqual(call);
});

const geminiTable: [gemini.GeminiCall, Action][] = [
  [{ name: 'take_screenshot', args: {} }, { action: 'screenshot' }],
  [
    { name: 'move', args: { x: 500, y: 999 } },
    { action: 'move', x: 500, y: 999 },
  ],
  [
    { name: 'click', args: { x: 1, y: 2 } },
    { action: 'click', x: 1, y: 2, button: 'left', count: 1 },
  ],
  [
    { name: 'triple_click', args: { x: 1, y: 2 } },
    { action: 'click', x: 1, y: 2, button: 'left', count: 3 },
  ],
  [
    { name: 'mouse_down', args: { x: 1, y: 2 } },
    { action: 'mouseDown', x: 1, y: 2, button: 'left' },
  ],
  [
    { name: 'drag_and_drop', args: { x: 1, y: 2, destination_x: 3, destination_y: 4 } },
    {
      action: 'drag',
      path: [
        { x: 1, y: 2 },
        { x: 3, y: 4 },
      ],
    },
  ],
  [
    { name: 'scroll', args: { x: 1, y: 2, direction: 'down', magnitude: 450 } },
    { action: 'scroll', x: 1, y: 2, dx: 0, dy: 3, unit: 'wheel' },
  ],
  [
    { name: 'type', args: { text: 'hi', press_enter: true, clear_before_typing: false } },
    { action: 'type', text: 'hi', pressEnter: true, clearFirst: false },
  ],
  [
    { name: 'press_key', args: { key: 'Enter' } },
    { action: 'key', keys: ['Enter'] },
  ],
  [
    { name: 'hotkey', args: { keys: ['control', 'c'] } },
    { action: 'key', keys: ['control', 'c'] },
  ],
  [
    { name: 'key_down', args: { key: 'shift' } },
    { action: 'keyDown', key: 'shift' },
  ],
  [
    { name: 'wait', args: { seconds: 5 } },
    { action: 'wait', durationMs: 5000 },
  ],
  [
    { name: 'navigate', args: { url: 'https://example.com' } },
    { action: 'openUrl', url: 'https://example.com' },
  ],
  [
    { name: 'open_web_browser', args: {} },
    { action: 'openUrl', url: 'about:blank' },
  ],
];

test.each(geminiTable)('Gemini %j both ways', (call, action) => {
  expect(gemini.toAction(call)).toEqual(action);
  expect(gemini.fromAction(action)).toEqual(call);
});

test('a batch names the space in which its coordinates were read', () => {
  const frame = { frameId: 'fr_00000000000000000000000001' };
  expect(anthropic.toBatch([{ name: 'left_click', input: { coordinate: [1, 2] } }], frame).coordinates).toEqual(frame);
  expect(openai.toBatch({ actions: [{ type: 'screenshot' }, { type: 'wait' }] }, frame).actions).toHaveLength(2);
  expect(gemini.toBatch([{ name: 'take_screenshot', args: {} }]).coordinates).toEqual({
    space: 'normalized',
    max: 1000,
  });
});

test('what a vendor cannot say, and what nobody said, is refused', () => {
  expect(() => anthropic.toAction({ name: 'constructor', input: {} })).toThrow(UnknownCallError);
  expect(() => anthropic.toAction({ name: 'left_click_drag', input: { coordinate: [1, 2] } })).toThrow(
    'start_coordinate',
  );
  expect(() => openai.toAction({ type: 'toString' } as never)).toThrow(UnknownCallError);
  expect(() => gemini.toAction({ name: 'click_at', args: {} })).toThrow(UnknownCallError);
  expect(() => anthropic.fromAction({ action: 'scroll', dx: 1, dy: 1 })).toThrow(UnknownCallError);
  expect(() => openai.fromAction({ action: 'click', x: 1, y: 1, count: 3 })).toThrow(UnknownCallError);
  expect(() => gemini.fromAction({ action: 'zoom', region: { x: 0, y: 0, width: 1, height: 1 } })).toThrow(
    UnknownCallError,
  );
});

test('a plus that is itself the key stays one', () => {
  const keys = (text: string) => (anthropic.toAction({ name: 'key', input: { text } }) as { keys: string[] }).keys;
  expect(keys('ctrl++')).toEqual(['ctrl', '+']);
  expect(keys('+')).toEqual(['+']);
});

test('coordinates keep their place between spaces', () => {
  const screen = { width: 1280, height: 800 };
  const click: Action = { action: 'click', x: 1279, y: 799 };
  expect(rescale(click, screen, { width: 640, height: 400 })).toMatchObject({ x: 640, y: 400 });
  expect(rescale({ action: 'click', x: 500, y: 999 }, { max: 1000 }, screen)).toMatchObject({ x: 640, y: 799 });
  for (let x = 0; x < screen.width; x++) {
    const there = rescale({ action: 'move', x, y: 0 }, screen, { max: 1000 });
    const back = rescale(there, { max: 1000 }, screen) as { x: number };
    expect(Math.abs(back.x - x)).toBeLessThanOrEqual(1);
  }
  expect(
    rescale(
      {
        action: 'drag',
        path: [
          { x: 0, y: 0 },
          { x: 500, y: 500 },
        ],
      },
      { max: 1000 },
      screen,
    ),
  ).toMatchObject({
    path: [
      { x: 0, y: 0 },
      { x: 640, y: 400 },
    ],
  });
});

test('the default screen needs no scaling for any vendor, and a large one is fitted', () => {
  const screen = { width: 1280, height: 800 };
  for (const limit of Object.values(pictureLimits)) expect(fitPicture(screen, limit)).toEqual(screen);
  expect(tokensOf(screen, 28)).toBe(1334);
  const fitted = fitPicture({ width: 3840, height: 2160 }, pictureLimits['anthropic-standard']);
  expect(tokensOf(fitted, 28)).toBeLessThanOrEqual(1568);
  expect(fitted.width / fitted.height).toBeCloseTo(16 / 9, 1);
});

test('each vendor gets its results in its own form, with the screen and the failure where they belong', async () => {
  const bureau = new Fake().client();
  const { computer } = await bureau.desktops.create();
  const result = await computer.actions([
    { action: 'move', x: 1, y: 1 },
    { action: 'click', x: 9999, y: 1 },
  ]);
  const results = toAnthropicResults(['a', 'b', 'c'], result);
  expect(results.map((one) => [one.tool_use_id, one.is_error ?? false, one.content.length])).toEqual([
    ['a', false, 1],
    ['b', true, 1],
    ['c', true, 2],
  ]);
  expect(JSON.stringify(results[1])).toContain('lies outside the screen');
  expect(JSON.stringify(results[2])).toContain('Not run');
  const url = `data:image/png;base64,${result.screenshot?.base64}`;
  expect(toOpenAIOutput('id', result)).toEqual({
    type: 'computer_call_output',
    call_id: 'id',
    output: { type: 'computer_screenshot', image_url: url },
  });
  const [first, second] = toGeminiResponses(['move', 'click'], result);
  expect(first?.functionResponse.response.output).toBe('Done.');
  expect(second?.functionResponse.response.error).toContain('lies outside');
  expect(second?.functionResponse.parts?.[0]?.inlineData.mimeType).toBe('image/png');
  const blind = await computer.actions({ actions: [{ action: 'wait', durationMs: 1 }], screenshot: false });
  expect(() => toOpenAIOutput('id', blind)).toThrow(RangeError);
});
