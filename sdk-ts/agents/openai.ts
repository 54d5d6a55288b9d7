import type { Action } from '../types.ts';
import { type ActionOf, type Batch, UnknownCallError, keysOf, modifiersOf } from './action.ts';

/** OpenAI's `computer` tool (Responses API, `computer_call.actions`), both ways. Coordinates are pixels of the picture sent. */

type Buttons = 'left' | 'right' | 'wheel' | 'back' | 'forward';
interface Point {
  x: number;
  y: number;
}

export type OpenAIAction =
  | { type: 'screenshot' }
  | { type: 'wait' }
  | ({ type: 'click'; button: Buttons; keys?: string[] | null } & Point)
  | ({ type: 'double_click'; keys?: string[] | null } & Point)
  | ({ type: 'move'; keys?: string[] | null } & Point)
  | { type: 'drag'; path: Point[]; keys?: string[] | null }
  | ({ type: 'scroll'; scroll_x: number; scroll_y: number; keys?: string[] | null } & Point)
  | { type: 'keypress'; keys: string[] }
  | { type: 'type'; text: string };

/** A `computer_call` item: with `actions`, or with one `action` from the preview tool. */
export interface OpenAICall {
  actions?: OpenAIAction[];
  action?: OpenAIAction;
}

/** The vendor's wait has no length. */
const waitMs = 2000;

type Rows = { [Type in OpenAIAction['type']]: (call: Extract<OpenAIAction, { type: Type }>) => Action };

const rows: Rows = {
  screenshot: () => ({ action: 'screenshot' }),
  wait: () => ({ action: 'wait', durationMs: waitMs }),
  click: ({ x, y, button, keys }) => ({
    action: 'click',
    x,
    y,
    button: button === 'wheel' ? 'middle' : button,
    count: 1,
    ...modifiersOf(keys),
  }),
  double_click: ({ x, y, keys }) => ({ action: 'click', x, y, button: 'left', count: 2, ...modifiersOf(keys) }),
  move: ({ x, y, keys }) => ({ action: 'move', x, y, ...modifiersOf(keys) }),
  drag: ({ path, keys }) => ({ action: 'drag', path, ...modifiersOf(keys) }),
  scroll: ({ x, y, scroll_x, scroll_y, keys }) => ({
    action: 'scroll',
    x,
    y,
    dx: scroll_x,
    dy: scroll_y,
    unit: 'pixel',
    ...modifiersOf(keys),
  }),
  keypress: ({ keys }) => ({ action: 'key', keys: keysOf(keys) }),
  type: ({ text }) => ({ action: 'type', text }),
};

/** @throws UnknownCallError */
export function toAction(call: OpenAIAction): Action {
  if (!Object.hasOwn(rows, call.type))
    throw new UnknownCallError(`OpenAI's computer tool has no action "${call.type}"`);
  return (rows[call.type] as (call: OpenAIAction) => Action)(call);
}

/** `frame`: the screenshot that the model saw last. */
export function toBatch(call: OpenAICall, frame: { frameId: string }): Batch {
  const actions = call.actions ?? (call.action ? [call.action] : []);
  return { actions: actions.map(toAction), coordinates: { frameId: frame.frameId } };
}

/** @throws UnknownCallError for what the vendor has no word for. */
export function fromAction(action: Action): OpenAIAction {
  switch (action.action) {
    case 'screenshot':
      return { type: 'screenshot' };
    case 'wait':
      return { type: 'wait' };
    case 'move':
      return { type: 'move', x: action.x, y: action.y, ...keys(action.modifiers) };
    case 'click':
      return click(action);
    case 'drag':
      if ((action.button ?? 'left') !== 'left') throw noWord(action);
      return { type: 'drag', path: action.path, ...keys(action.modifiers) };
    case 'scroll':
      if (action.unit !== 'pixel') throw noWord(action);
      return {
        type: 'scroll',
        ...place(action),
        scroll_x: action.dx ?? 0,
        scroll_y: action.dy ?? 0,
        ...keys(action.modifiers),
      };
    case 'key':
      if ((action.repeat ?? 1) !== 1) throw noWord(action);
      return { type: 'keypress', keys: action.keys };
    case 'type':
      return { type: 'type', text: action.text };
    case 'zoom':
    case 'mouseDown':
    case 'mouseUp':
    case 'holdKey':
    case 'keyDown':
    case 'keyUp':
    case 'waitUntil':
    case 'cursorPosition':
    case 'openUrl':
      throw noWord(action);
  }
}

function click(action: ActionOf<'click'>): OpenAIAction {
  const { button = 'left', count = 1 } = action;
  if (count === 2 && button === 'left') return { type: 'double_click', ...place(action), ...keys(action.modifiers) };
  if (count !== 1) throw noWord(action);
  return { type: 'click', ...place(action), button: button === 'middle' ? 'wheel' : button, ...keys(action.modifiers) };
}

function place(action: { x?: number; y?: number } & Action): Point {
  if (action.x === undefined || action.y === undefined) throw noWord(action);
  return { x: action.x, y: action.y };
}

function keys(modifiers: string[] | undefined): { keys?: string[] } {
  return modifiers && modifiers.length > 0 ? { keys: modifiers } : {};
}

function noWord(action: Action): UnknownCallError {
  return new UnknownCallError(`OpenAI's computer tool has no word for ${JSON.stringify(action)}`);
}
