import type { Action } from '../types.ts';
import { type ActionOf, type Batch, UnknownCallError, keysOf, modifiersOf } from './action.ts';

/**
 * Anthropic's computer use, both ways. `computer_toolset_20260801` has a tool for each action (the block's `name` is the
 * action, `toolset_name` is `computer`); `computer_20251124` has one tool with the action in `input.action`. The
 * arguments are the same.
 */

export type AnthropicAction =
  | 'screenshot'
  | 'zoom'
  | 'mouse_move'
  | 'left_click'
  | 'right_click'
  | 'middle_click'
  | 'double_click'
  | 'triple_click'
  | 'left_mouse_down'
  | 'left_mouse_up'
  | 'left_click_drag'
  | 'scroll'
  | 'type'
  | 'key'
  | 'hold_key'
  | 'wait'
  | 'cursor_position';

export interface AnthropicInput {
  action?: string;
  coordinate?: [number, number];
  start_coordinate?: [number, number];
  text?: string;
  duration?: number;
  scroll_direction?: 'up' | 'down' | 'left' | 'right';
  scroll_amount?: number;
  region?: [number, number, number, number];
  repeat?: number;
}

/** A `tool_use` block of either version. */
export interface AnthropicCall {
  name: string;
  input: AnthropicInput;
}

const clicks = {
  left_click: { button: 'left', count: 1 },
  right_click: { button: 'right', count: 1 },
  middle_click: { button: 'middle', count: 1 },
  double_click: { button: 'left', count: 2 },
  triple_click: { button: 'left', count: 3 },
} as const;

const scrollSigns = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] } as const;

type Row = (input: AnthropicInput) => Action;

const rows: Record<AnthropicAction, Row> = {
  screenshot: () => ({ action: 'screenshot' }),
  zoom: (input) => {
    const [left, top, right, bottom] = need(input.region, 'region');
    return { action: 'zoom', region: { x: left, y: top, width: right - left, height: bottom - top } };
  },
  mouse_move: (input) => ({ action: 'move', ...point(need(input.coordinate, 'coordinate')) }),
  left_click: (input) => click('left_click', input),
  right_click: (input) => click('right_click', input),
  middle_click: (input) => click('middle_click', input),
  double_click: (input) => click('double_click', input),
  triple_click: (input) => click('triple_click', input),
  left_mouse_down: (input) => ({ action: 'mouseDown', button: 'left', ...maybePoint(input.coordinate) }),
  left_mouse_up: (input) => ({ action: 'mouseUp', button: 'left', ...maybePoint(input.coordinate) }),
  left_click_drag: (input) => ({
    action: 'drag',
    path: [point(need(input.start_coordinate, 'start_coordinate')), point(need(input.coordinate, 'coordinate'))],
    ...modifiersOf(input.text),
  }),
  scroll: (input) => {
    const [dx, dy] = scrollSigns[need(input.scroll_direction, 'scroll_direction')];
    const amount = input.scroll_amount ?? 3;
    return {
      action: 'scroll',
      ...maybePoint(input.coordinate),
      dx: dx * amount,
      dy: dy * amount,
      unit: 'wheel',
      ...modifiersOf(input.text),
    };
  },
  type: (input) => ({ action: 'type', text: need(input.text, 'text') }),
  key: (input) => ({
    action: 'key',
    keys: keysOf(need(input.text, 'text')),
    ...(input.repeat === undefined ? {} : { repeat: input.repeat }),
  }),
  hold_key: (input) => ({
    action: 'holdKey',
    keys: keysOf(need(input.text, 'text')),
    durationMs: milliseconds(need(input.duration, 'duration')),
  }),
  wait: (input) => ({ action: 'wait', durationMs: milliseconds(input.duration ?? 1) }),
  cursor_position: () => ({ action: 'cursorPosition' }),
};

/** @throws UnknownCallError */
export function toAction(call: AnthropicCall): Action {
  const name = call.name === 'computer' ? call.input.action : call.name;
  const row = name !== undefined && Object.hasOwn(rows, name) ? rows[name as AnthropicAction] : undefined;
  if (!row) throw new UnknownCallError(`Anthropic's computer tools have no action "${name}"`);
  return row(call.input);
}

/** The calls of one turn as one batch. `frame`: the screenshot that the model saw last. */
export function toBatch(calls: readonly AnthropicCall[], frame: { frameId: string }): Batch {
  return { actions: calls.map(toAction), coordinates: { frameId: frame.frameId } };
}

/**
 * The call that a model would have made for this action, in the form of the toolset.
 * @throws UnknownCallError for what the vendor has no word for.
 */
export function fromAction(action: Action): AnthropicCall {
  switch (action.action) {
    case 'screenshot':
      return { name: 'screenshot', input: {} };
    case 'cursorPosition':
      return { name: 'cursor_position', input: {} };
    case 'zoom': {
      const { x, y, width, height } = action.region;
      return { name: 'zoom', input: { region: [x, y, x + width, y + height] } };
    }
    case 'move':
      return { name: 'mouse_move', input: { coordinate: [action.x, action.y] } };
    case 'click':
      return { name: clickName(action), input: { ...coordinate(action), ...text(action.modifiers) } };
    case 'mouseDown':
      return { name: 'left_mouse_down', input: coordinate(leftOnly(action)) };
    case 'mouseUp':
      return { name: 'left_mouse_up', input: coordinate(leftOnly(action)) };
    case 'drag':
      return drag(action);
    case 'scroll':
      return scroll(action);
    case 'type':
      return { name: 'type', input: { text: action.text } };
    case 'key':
      return {
        name: 'key',
        input: { ...text(action.keys), ...(action.repeat === undefined ? {} : { repeat: action.repeat }) },
      };
    case 'holdKey':
      return { name: 'hold_key', input: { ...text(action.keys), duration: action.durationMs / 1000 } };
    case 'wait':
      return { name: 'wait', input: { duration: action.durationMs / 1000 } };
    case 'keyDown':
    case 'keyUp':
    case 'waitUntil':
    case 'openUrl':
      throw noWord(action);
  }
}

/** The same call in the form of `computer_20251124`. */
export function asSingleTool(call: AnthropicCall): AnthropicCall {
  return { name: 'computer', input: { action: call.name, ...call.input } };
}

function click(name: keyof typeof clicks, input: AnthropicInput): Action {
  return { action: 'click', ...maybePoint(input.coordinate), ...clicks[name], ...modifiersOf(input.text) };
}

function clickName(action: ActionOf<'click'>): string {
  const { button = 'left', count = 1 } = action;
  const found = Object.entries(clicks).find(([, row]) => row.button === button && row.count === count);
  if (!found) throw noWord(action);
  return found[0];
}

function drag(action: ActionOf<'drag'>): AnthropicCall {
  const [start, end, ...more] = action.path;
  if (!start || !end || more.length > 0 || (action.button ?? 'left') !== 'left') throw noWord(action);
  return {
    name: 'left_click_drag',
    input: { start_coordinate: [start.x, start.y], coordinate: [end.x, end.y], ...text(action.modifiers) },
  };
}

function scroll(action: ActionOf<'scroll'>): AnthropicCall {
  const { dx = 0, dy = 0 } = action;
  if ((dx !== 0 && dy !== 0) || action.unit === 'pixel') throw noWord(action);
  const direction = dx === 0 ? (dy < 0 ? 'up' : 'down') : dx < 0 ? 'left' : 'right';
  return {
    name: 'scroll',
    input: {
      ...coordinate(action),
      scroll_direction: direction,
      scroll_amount: Math.abs(dx + dy),
      ...text(action.modifiers),
    },
  };
}

function need<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new UnknownCallError(`The call lacks "${name}"`);
  return value;
}

function point([x, y]: [number, number]): { x: number; y: number } {
  return { x, y };
}

function maybePoint(at: [number, number] | undefined): { x?: number; y?: number } {
  return at ? point(at) : {};
}

function coordinate(at: { x?: number; y?: number }): { coordinate?: [number, number] } {
  return at.x === undefined || at.y === undefined ? {} : { coordinate: [at.x, at.y] };
}

function text(keys: readonly string[] | undefined): { text?: string } {
  return keys && keys.length > 0 ? { text: keys.join('+') } : {};
}

function leftOnly<At extends ActionOf<'mouseDown'> | ActionOf<'mouseUp'>>(action: At): At {
  if ((action.button ?? 'left') !== 'left') throw noWord(action);
  return action;
}

function milliseconds(seconds: number): number {
  return Math.min(30_000, Math.max(1, Math.round(seconds * 1000)));
}

function noWord(action: Action): UnknownCallError {
  return new UnknownCallError(`Anthropic's computer tools have no word for ${JSON.stringify(action)}`);
}
