import type { Action } from '../types.ts';
import { type ActionOf, type Batch, UnknownCallError, keysOf } from './action.ts';

/**
 * Gemini's computer use in a desktop environment, both ways: function calls whose coordinates go from 0 to 999 in both
 * directions whatever the size of the picture. `open_web_browser` opens an empty page.
 */

export interface GeminiArgs {
  x?: number;
  y?: number;
  destination_x?: number;
  destination_y?: number;
  direction?: 'up' | 'down' | 'left' | 'right';
  magnitude?: number;
  text?: string;
  press_enter?: boolean;
  clear_before_typing?: boolean;
  key?: string;
  keys?: string | string[];
  seconds?: number;
  url?: string;
}

/** A `functionCall` part. */
export interface GeminiCall {
  name: string;
  args: GeminiArgs;
}

/** One wheel click moves about this much of the 0–999 screen (120 px of 800, Firefox and GTK). */
const magnitudePerWheelClick = 150;
const magnitudeDefault = 800;

const clicks = {
  click: { button: 'left', count: 1 },
  right_click: { button: 'right', count: 1 },
  middle_click: { button: 'middle', count: 1 },
  double_click: { button: 'left', count: 2 },
  triple_click: { button: 'left', count: 3 },
} as const;

const scrollSigns = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const;

type GeminiName =
  | keyof typeof clicks
  | 'take_screenshot'
  | 'move'
  | 'mouse_down'
  | 'mouse_up'
  | 'drag_and_drop'
  | 'scroll'
  | 'type'
  | 'press_key'
  | 'hotkey'
  | 'key_down'
  | 'key_up'
  | 'wait'
  | 'navigate'
  | 'open_web_browser';

const rows: Record<GeminiName, (args: GeminiArgs) => Action> = {
  take_screenshot: () => ({ action: 'screenshot' }),
  move: (args) => ({ action: 'move', x: need(args.x, 'x'), y: need(args.y, 'y') }),
  click: (args) => click('click', args),
  right_click: (args) => click('right_click', args),
  middle_click: (args) => click('middle_click', args),
  double_click: (args) => click('double_click', args),
  triple_click: (args) => click('triple_click', args),
  mouse_down: (args) => ({ action: 'mouseDown', button: 'left', ...place(args) }),
  mouse_up: (args) => ({ action: 'mouseUp', button: 'left', ...place(args) }),
  drag_and_drop: (args) => ({
    action: 'drag',
    path: [
      { x: need(args.x, 'x'), y: need(args.y, 'y') },
      { x: need(args.destination_x, 'destination_x'), y: need(args.destination_y, 'destination_y') },
    ],
  }),
  scroll: (args) => {
    const [dx, dy] = scrollSigns[need(args.direction, 'direction')];
    const wheelClicks = Math.max(1, Math.round((args.magnitude ?? magnitudeDefault) / magnitudePerWheelClick));
    return { action: 'scroll', ...place(args), dx: dx * wheelClicks, dy: dy * wheelClicks, unit: 'wheel' };
  },
  type: (args) => ({
    action: 'type',
    text: need(args.text, 'text'),
    ...(args.press_enter === undefined ? {} : { pressEnter: args.press_enter }),
    ...(args.clear_before_typing === undefined ? {} : { clearFirst: args.clear_before_typing }),
  }),
  press_key: (args) => ({ action: 'key', keys: [need(args.key, 'key')] }),
  hotkey: (args) => ({ action: 'key', keys: keysOf(need(args.keys, 'keys')) }),
  key_down: (args) => ({ action: 'keyDown', key: need(args.key, 'key') }),
  key_up: (args) => ({ action: 'keyUp', key: need(args.key, 'key') }),
  wait: (args) => ({ action: 'wait', durationMs: Math.min(30_000, Math.round((args.seconds ?? 5) * 1000)) }),
  navigate: (args) => ({ action: 'openUrl', url: need(args.url, 'url') }),
  open_web_browser: () => ({ action: 'openUrl', url: 'about:blank' }),
};

/** @throws UnknownCallError */
export function toAction(call: GeminiCall): Action {
  if (!Object.hasOwn(rows, call.name)) {
    throw new UnknownCallError(`Gemini's desktop environment has no function "${call.name}"`);
  }
  return rows[call.name as GeminiName](call.args);
}

export function toBatch(calls: readonly GeminiCall[]): Batch {
  return { actions: calls.map(toAction), coordinates: { space: 'normalized', max: 1000 } };
}

/**
 * The call that a model would have made. Coordinates are taken as they are: bring them to 0–999 with `rescale` first.
 * @throws UnknownCallError for what the vendor has no word for.
 */
export function fromAction(action: Action): GeminiCall {
  switch (action.action) {
    case 'screenshot':
      return { name: 'take_screenshot', args: {} };
    case 'move':
      return { name: 'move', args: { x: action.x, y: action.y } };
    case 'click':
      return { name: clickName(action), args: place(action) };
    case 'mouseDown':
    case 'mouseUp':
      if ((action.button ?? 'left') !== 'left') throw noWord(action);
      return { name: action.action === 'mouseDown' ? 'mouse_down' : 'mouse_up', args: place(action) };
    case 'drag': {
      const [from, to, ...more] = action.path;
      if (!from || !to || more.length > 0 || (action.button ?? 'left') !== 'left') throw noWord(action);
      return { name: 'drag_and_drop', args: { x: from.x, y: from.y, destination_x: to.x, destination_y: to.y } };
    }
    case 'scroll':
      return scroll(action);
    case 'type':
      return {
        name: 'type',
        args: {
          text: action.text,
          ...(action.pressEnter === undefined ? {} : { press_enter: action.pressEnter }),
          ...(action.clearFirst === undefined ? {} : { clear_before_typing: action.clearFirst }),
        },
      };
    case 'key':
      if ((action.repeat ?? 1) !== 1) throw noWord(action);
      return action.keys.length === 1
        ? { name: 'press_key', args: { key: action.keys[0] ?? '' } }
        : { name: 'hotkey', args: { keys: action.keys } };
    case 'keyDown':
      return { name: 'key_down', args: { key: action.key } };
    case 'keyUp':
      return { name: 'key_up', args: { key: action.key } };
    case 'wait':
      return { name: 'wait', args: { seconds: action.durationMs / 1000 } };
    case 'openUrl':
      return action.url === 'about:blank'
        ? { name: 'open_web_browser', args: {} }
        : { name: 'navigate', args: { url: action.url } };
    case 'zoom':
    case 'holdKey':
    case 'waitUntil':
    case 'cursorPosition':
      throw noWord(action);
  }
}

function click(name: keyof typeof clicks, args: GeminiArgs): Action {
  return { action: 'click', ...place(args), ...clicks[name] };
}

function clickName(action: ActionOf<'click'>): string {
  const { button = 'left', count = 1 } = action;
  const found = Object.entries(clicks).find(([, row]) => row.button === button && row.count === count);
  if (!found || action.modifiers?.length) throw noWord(action);
  return found[0];
}

function scroll(action: ActionOf<'scroll'>): GeminiCall {
  const { dx = 0, dy = 0 } = action;
  if ((dx !== 0 && dy !== 0) || action.unit === 'pixel') throw noWord(action);
  const direction = dx === 0 ? (dy < 0 ? 'up' : 'down') : dx < 0 ? 'left' : 'right';
  return {
    name: 'scroll',
    args: { ...place(action), direction, magnitude: Math.min(999, Math.abs(dx + dy) * magnitudePerWheelClick) },
  };
}

function place(at: { x?: number; y?: number }): { x?: number; y?: number } {
  return at.x === undefined || at.y === undefined ? {} : { x: at.x, y: at.y };
}

function need<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new UnknownCallError(`The call lacks "${name}"`);
  return value;
}

function noWord(action: Action): UnknownCallError {
  return new UnknownCallError(`Gemini's desktop environment has no word for ${JSON.stringify(action)}`);
}
