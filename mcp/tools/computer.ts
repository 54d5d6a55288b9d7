import type { BatchResult } from '@lebureau/sdk/computer';
import type { Picture } from '@lebureau/sdk/picture';
import type { Action, ActionBatch, ScreenshotWish } from '@lebureau/sdk/types';
import { type Answer, type Effect, type Schema, type Tool, type ToolCall, defineTool } from '../tool.ts';

const see: Effect = { readOnly: true, destructive: false, idempotent: true, openWorld: true };
/** A click can press any button there is, so every hand counts as destructive. */
const act: Effect = { readOnly: false, destructive: true, idempotent: false, openWorld: true };

const x: Schema = { type: 'number', description: 'Pixel from the left' };
const y: Schema = { type: 'number', description: 'Pixel from the top' };
const button: Schema = { type: 'string', enum: ['left', 'middle', 'right', 'back', 'forward'], default: 'left' };
const modifiers: Schema = {
  type: 'array',
  items: { type: 'string', maxLength: 32 },
  maxItems: 8,
  description: 'Keys held, e.g. ["ctrl"]',
};
const frameId: Schema = {
  type: 'string',
  pattern: '^fr_[0-9a-z]{26}$',
  description: 'The screenshot the coordinates were read in; default: screen pixels',
};
const screenshot: Schema = { type: 'boolean', default: false, description: 'Answer with a screenshot after it' };
const region: Schema = {
  type: 'object',
  properties: { x: { type: 'number' }, y: { type: 'number' }, width: { type: 'number' }, height: { type: 'number' } },
  required: ['x', 'y', 'width', 'height'],
  additionalProperties: false,
};

/** What every hand takes besides its own fields. */
interface Common {
  frameId?: string;
  screenshot?: boolean;
}
type Fields<Name extends Action['action']> = Omit<Extract<Action, { action: Name }>, 'action'>;

const webp = { format: 'webp', quality: 75 } as const;

const takeScreenshot = defineTool<ScreenshotWish>({
  name: 'desktop_screenshot',
  title: 'Look at the screen',
  toolset: 'computer',
  capability: 'desktop:view',
  description:
    'Take a screenshot. Answers with the picture and its frameId; give that frameId with coordinates read in it. region (screen pixels) shows a part at full size; since=frameId answers only "unchanged" when nothing changed.',
  onDesktop: true,
  input: {
    region,
    maxEdge: { type: 'integer', minimum: 16, maximum: 4096, description: 'Scale down to this longer edge' },
    format: { type: 'string', enum: ['webp', 'png', 'jpeg'], default: 'webp' },
    since: { ...frameId, description: 'frameId of an earlier screenshot' },
  },
  effect: see,
  async run({ since, ...wish }, { desktop, options }) {
    const whole = { ...webp, ...wish };
    if (since === undefined) return seen(await desktop.computer.screenshot(whole, options));
    const picture = await desktop.computer.screenshot({ ...whole, since }, options);
    if (picture.unchanged) return { text: `Unchanged since ${since}.` };
    // An answer holds one picture at most, so several changed parts are shown as the whole.
    const one = picture.images.length === 1 ? picture : await desktop.computer.screenshot(whole, options);
    return seen(one);
  },
});

const click = hand<'click'>({
  name: 'desktop_click',
  title: 'Click',
  action: 'click',
  description: 'Click at a point, or where the mouse is when x and y are left out. count 2 is a double click.',
  input: { x, y, button, count: { type: 'integer', minimum: 1, maximum: 3, default: 1 }, modifiers },
});

const type = hand<'type'>({
  name: 'desktop_type',
  title: 'Type text',
  action: 'type',
  description:
    'Type text of any language into what has the focus. Click there first. For keys and shortcuts use desktop_key.',
  input: {
    text: { type: 'string', maxLength: 100_000 },
    pressEnter: { type: 'boolean', default: false },
    clearFirst: { type: 'boolean', default: false, description: 'Select all and delete first' },
    method: { type: 'string', enum: ['auto', 'keys', 'paste'], default: 'auto' },
  },
  required: ['text'],
});

const key = defineTool<{ key: string; repeat?: number } & Common>({
  name: 'desktop_key',
  title: 'Press a key',
  toolset: 'computer',
  capability: 'desktop:control',
  description: 'Press a key or chord by its xdotool name: Return, Escape, Tab, Page_Down, F5, ctrl+a, ctrl+alt+t.',
  onDesktop: true,
  input: {
    key: { type: 'string', minLength: 1, maxLength: 200 },
    repeat: { type: 'integer', minimum: 1, maximum: 100, default: 1 },
    screenshot,
  },
  required: ['key'],
  effect: act,
  async run({ key: chord, repeat, ...common }, call) {
    const action: Action = { action: 'key', keys: [chord], ...(repeat === undefined ? {} : { repeat }) };
    return await acted([action], common, call);
  },
});

const scroll = hand<'scroll'>({
  name: 'desktop_scroll',
  title: 'Scroll',
  action: 'scroll',
  description: 'Turn the wheel at a point: dy > 0 scrolls down, dx > 0 to the right; 3 to 5 is a part of a page.',
  input: {
    x,
    y,
    dy: { type: 'number', minimum: -10_000, maximum: 10_000, default: 0 },
    dx: { type: 'number', minimum: -10_000, maximum: 10_000, default: 0 },
    unit: { type: 'string', enum: ['wheel', 'pixel'], default: 'wheel' },
    modifiers,
  },
});

const drag = defineTool<
  { startX: number; startY: number; endX: number; endY: number } & Omit<Fields<'drag'>, 'path'> & Common
>({
  name: 'desktop_drag',
  title: 'Drag',
  toolset: 'computer',
  capability: 'desktop:control',
  description:
    'Press the button at the start, move to the end, release. For a path of more points use desktop_actions.',
  onDesktop: true,
  input: {
    startX: { type: 'number' },
    startY: { type: 'number' },
    endX: { type: 'number' },
    endY: { type: 'number' },
    button,
    modifiers,
    durationMs: { type: 'integer', minimum: 0, maximum: 10_000, default: 300 },
    frameId,
    screenshot,
  },
  required: ['startX', 'startY', 'endX', 'endY'],
  effect: act,
  async run({ startX, startY, endX, endY, frameId: frame, screenshot: shot, ...fields }, call) {
    const path = [
      { x: startX, y: startY },
      { x: endX, y: endY },
    ];
    return await acted([{ action: 'drag', path, ...fields }], { frameId: frame, screenshot: shot }, call);
  },
});

const actions = defineTool<{ actions: Action[]; quietMs?: number } & Common>({
  name: 'desktop_actions',
  title: 'Run several actions, then look',
  toolset: 'computer',
  capability: 'desktop:control',
  description:
    'Run up to 100 mouse and key actions in order, wait until the screen is quiet, answer with each result and one screenshot. Stops at the first failure. Far faster than single calls. Example: [{"action":"click","x":640,"y":60},{"action":"type","text":"hi","pressEnter":true},{"action":"waitUntil","until":"window","text":"hi"}]',
  onDesktop: true,
  input: {
    actions: { type: 'array', minItems: 1, maxItems: 100, items: actionSchema() },
    frameId,
    quietMs: {
      type: 'integer',
      minimum: 0,
      maximum: 10_000,
      default: 150,
      description: 'How long nothing may change before the screenshot',
    },
    screenshot: { ...screenshot, default: true },
  },
  required: ['actions'],
  effect: act,
  async run({ actions: list, quietMs, frameId: frame, screenshot: shot = true }, call) {
    return await acted(list, { frameId: frame, screenshot: shot, quietMs }, call);
  },
});

const windows = defineTool<{ focus?: string }>({
  name: 'desktop_windows',
  title: 'List or focus windows',
  toolset: 'computer',
  // To list them is to look; the API lets nobody without desktop:control bring one to the front.
  capability: 'desktop:view',
  description:
    'List the open windows with id, title, place and which is active; with focus=windowId bring that one to the front instead (takes desktop:control).',
  onDesktop: true,
  input: { focus: { type: 'string', pattern: '^0x[0-9a-f]{1,8}$', description: 'windowId' } },
  effect: { ...act, destructive: false, idempotent: true },
  async run({ focus }, { desktop, options }) {
    if (focus !== undefined) {
      const window = await desktop.windows.focus(focus, options);
      return { text: 'Focused.', untrusted: [{ what: 'window', text: JSON.stringify(window) }] };
    }
    const list = await desktop.windows.list(options);
    const lines = list.map((window) => JSON.stringify(window)).join('\n');
    return { text: `${list.length} windows.`, untrusted: [{ what: 'windows', text: lines }] };
  },
});

const clipboardGet = defineTool<object>({
  name: 'desktop_clipboard_get',
  title: 'Read the clipboard',
  toolset: 'computer',
  capability: 'desktop:control',
  description: 'Read the text in the clipboard of the desktop.',
  onDesktop: true,
  input: {},
  effect: see,
  async run(_args, { desktop, options }) {
    const text = await desktop.clipboard.get(options);
    return { text: `${text.length} characters.`, untrusted: [{ what: 'clipboard', text }] };
  },
});

const clipboardSet = defineTool<{ text: string }>({
  name: 'desktop_clipboard_set',
  title: 'Set the clipboard',
  toolset: 'computer',
  capability: 'desktop:control',
  description: 'Put text into the clipboard of the desktop; paste it there with desktop_key ctrl+v.',
  onDesktop: true,
  input: { text: { type: 'string', maxLength: 1_048_576 } },
  required: ['text'],
  effect: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
  async run({ text }, { desktop, options }) {
    await desktop.clipboard.set(text, options);
    return { text: `The clipboard holds ${text.length} characters.` };
  },
});

export const computerTools: readonly Tool[] = [
  takeScreenshot,
  click,
  type,
  key,
  scroll,
  drag,
  actions,
  windows,
  clipboardGet,
  clipboardSet,
];

interface HandWords<Name extends Action['action']> {
  name: string;
  title: string;
  action: Name;
  description: string;
  input: Readonly<Record<string, Schema>>;
  required?: readonly string[];
}

/** A tool that is one action. */
function hand<Name extends Action['action']>({ action, ...words }: HandWords<Name>): Tool {
  const pointing: Record<string, Schema> = 'x' in words.input ? { frameId } : {};
  return defineTool<Fields<Name> & Common>({
    toolset: 'computer',
    capability: 'desktop:control',
    onDesktop: true,
    effect: act,
    ...words,
    input: { ...words.input, ...pointing, screenshot },
    async run({ frameId: frame, screenshot: shot, ...fields }, call) {
      return await acted([{ action, ...fields } as unknown as Action], { frameId: frame, screenshot: shot }, call);
    },
  });
}

async function acted(list: Action[], wish: Common & { quietMs?: number | undefined }, call: ToolCall): Promise<Answer> {
  const batch: ActionBatch = {
    actions: list,
    screenshot: wish.screenshot ? webp : false,
    ...(wish.frameId === undefined ? {} : { coordinates: { frameId: wish.frameId } }),
  };
  if (wish.quietMs !== undefined) batch.settle = { quietMs: wish.quietMs };
  else if (!wish.screenshot) batch.settle = { quietMs: 0, timeoutMs: 0 };
  return report(await call.desktop.computer.actions(batch, call.options), list.length);
}

function report(result: BatchResult, asked: number): Answer {
  const failed = result.results.find((one) => !one.ok);
  const lines = [`${result.completed} of ${asked} done.`];
  for (const [at, one] of result.results.entries()) {
    if (one.ok && one.result)
      lines.push(`${at + 1} ${one.action}: ${JSON.stringify({ ...one.result, screenshot: undefined })}`);
  }
  if (failed) {
    const { code = 'unknown', detail = '', hint = '' } = failed.error ?? {};
    lines.push(`Action ${result.results.indexOf(failed) + 1} (${failed.action}) failed: ${detail} [${code}] ${hint}`);
    lines.push('Next: look with desktop_screenshot, then go on from the action that failed.');
  }
  if (result.cursor) lines.push(`Cursor at ${result.cursor.x},${result.cursor.y}.`);
  const picture = result.screenshot ?? zoomed(result);
  const answer: Answer = picture ? seen(picture, lines) : { text: lines.join('\n') };
  if (result.activeWindow) answer.untrusted = [{ what: 'title of the active window', text: result.activeWindow.title }];
  if (failed) answer.failed = true;
  return answer;
}

/** The picture of the last action that took one, when none was asked for at the end. */
function zoomed(result: BatchResult): Pick<Picture, 'frame' | 'images' | 'unchanged'> | undefined {
  return result.results.findLast((one) => one.result?.screenshot)?.result?.screenshot;
}

function seen(picture: Pick<Picture, 'frame' | 'images' | 'unchanged'>, lines: string[] = []): Answer {
  const { frame } = picture;
  const [image] = picture.images;
  const scale = frame.scale === 1 ? '' : `, scale ${frame.scale}`;
  const part =
    image && (image.width !== frame.width || image.height !== frame.height)
      ? `; this part stands at ${image.x},${image.y}`
      : '';
  lines.push(
    `Screenshot ${frame.frameId}: ${frame.width}×${frame.height} px of a ${frame.screenWidth}×${frame.screenHeight} screen${scale}${part}.`,
  );
  if (!image) return { text: lines.join('\n') };
  return { text: lines.join('\n'), image: { data: image.data, mimeType: `image/${image.format}` } };
}

/** All actions in one object: a union of seventeen would take three times the tokens. The API says what does not fit. */
function actionSchema(): Schema {
  const names =
    'screenshot zoom move click mouseDown mouseUp drag scroll type key holdKey keyDown keyUp wait waitUntil cursorPosition openUrl';
  return {
    type: 'object',
    required: ['action'],
    additionalProperties: false,
    properties: {
      action: { type: 'string', enum: names.split(' ') },
      x: { type: 'number' },
      y: { type: 'number' },
      button,
      count: { type: 'integer', minimum: 1, maximum: 3 },
      modifiers: { type: 'array', items: { type: 'string' } },
      path: {
        type: 'array',
        description: 'drag: at least two points',
        items: { type: 'object', properties: { x: { type: 'number' }, y: { type: 'number' } }, required: ['x', 'y'] },
      },
      dx: { type: 'number' },
      dy: { type: 'number', description: 'scroll: + is down' },
      unit: { type: 'string', enum: ['wheel', 'pixel'] },
      text: { type: 'string', description: 'type; waitUntil window or text' },
      pressEnter: { type: 'boolean' },
      clearFirst: { type: 'boolean' },
      method: { type: 'string', enum: ['auto', 'keys', 'paste'] },
      delayMs: { type: 'integer' },
      keys: { type: 'array', items: { type: 'string' }, description: 'key, holdKey: one chord, e.g. ["ctrl","s"]' },
      key: { type: 'string', description: 'keyDown, keyUp' },
      repeat: { type: 'integer' },
      durationMs: { type: 'integer', description: 'drag, holdKey, wait' },
      until: { type: 'string', enum: ['stable', 'window', 'text'] },
      quietMs: { type: 'integer' },
      timeoutMs: { type: 'integer', description: 'waitUntil: default 10000' },
      region,
      maxEdge: { type: 'integer' },
      url: { type: 'string' },
    },
  };
}
