import { t } from '../http/schema.ts';

/** The action table: one vocabulary for every vendor's model. */

const x = t.Number({ description: 'Horizontal, in the space that `coordinates` names.' });
const y = t.Number({ description: 'Vertical, +y is down.' });
const modifiers = t.Optional(
  t.Array(t.String({ maxLength: 32 }), { maxItems: 8, description: 'Keys held during the action, e.g. ["ctrl"].' }),
);
const keys = t.Array(t.String({ minLength: 1, maxLength: 64 }), {
  minItems: 1,
  maxItems: 8,
  description: 'One chord: all are pressed in order, then released. ["ctrl","a"] or ["ctrl+a"].',
});

export const Button = t.Union(
  ['left', 'middle', 'right', 'back', 'forward'].map((name) => t.Literal(name)),
  { description: 'Default left.' },
);
const button = t.Optional(Button);

export const Region = t.Object({
  x: t.Number({ minimum: 0 }),
  y: t.Number({ minimum: 0 }),
  width: t.Number({ exclusiveMinimum: 0 }),
  height: t.Number({ exclusiveMinimum: 0 }),
});

const Point = t.Object({ x, y });
const fields = {
  screenshot: {},
  zoom: { region: Region, maxEdge: t.Optional(t.Integer({ minimum: 16, maximum: 4096 })) },
  move: { x, y, modifiers },
  click: {
    x: t.Optional(x),
    y: t.Optional(y),
    button,
    count: t.Optional(t.Integer({ minimum: 1, maximum: 3, description: 'Default 1.' })),
    modifiers,
  },
  mouseDown: { x: t.Optional(x), y: t.Optional(y), button },
  mouseUp: { x: t.Optional(x), y: t.Optional(y), button },
  drag: {
    path: t.Array(Point, { minItems: 2, maxItems: 200 }),
    button,
    modifiers,
    durationMs: t.Optional(t.Integer({ minimum: 0, maximum: 10_000, description: 'Default 300.' })),
  },
  scroll: {
    x: t.Optional(x),
    y: t.Optional(y),
    dx: t.Optional(t.Number({ minimum: -10_000, maximum: 10_000, description: 'Default 0; positive is right.' })),
    dy: t.Optional(t.Number({ minimum: -10_000, maximum: 10_000, description: 'Default 0; positive is down.' })),
    unit: t.Optional(
      t.Union([t.Literal('wheel'), t.Literal('pixel')], { description: 'Default wheel: clicks of the wheel.' }),
    ),
    modifiers,
  },
  type: {
    text: t.String({ maxLength: 100_000 }),
    pressEnter: t.Optional(t.Boolean()),
    clearFirst: t.Optional(t.Boolean({ description: 'Selects all (ctrl+a) and deletes before typing.' })),
    method: t.Optional(
      t.Union([t.Literal('auto'), t.Literal('keys'), t.Literal('paste')], { description: 'Default auto.' }),
    ),
    delayMs: t.Optional(t.Integer({ minimum: 0, maximum: 1000, description: 'Pause between characters, default 0.' })),
  },
  key: { keys, repeat: t.Optional(t.Integer({ minimum: 1, maximum: 100, description: 'Default 1.' })) },
  holdKey: { keys, durationMs: t.Integer({ minimum: 1, maximum: 30_000 }) },
  keyDown: { key: t.String({ minLength: 1, maxLength: 64 }) },
  keyUp: { key: t.String({ minLength: 1, maxLength: 64 }) },
  wait: { durationMs: t.Integer({ minimum: 0, maximum: 30_000 }) },
  waitUntil: {
    until: t.Union([t.Literal('stable'), t.Literal('window'), t.Literal('text')]),
    text: t.Optional(
      t.String({
        minLength: 1,
        maxLength: 500,
        description: 'Part of the window title, or text of the accessibility tree; case does not matter.',
      }),
    ),
    quietMs: t.Optional(
      t.Integer({
        minimum: 50,
        maximum: 10_000,
        description: 'For `stable`: how long nothing may change. Default 300.',
      }),
    ),
    timeoutMs: t.Optional(t.Integer({ minimum: 1, maximum: 45_000, description: 'Default 10,000.' })),
  },
  cursorPosition: {},
  openUrl: {
    url: t.String({ minLength: 1, maxLength: 8192, format: 'uri', description: 'http, https, file or about.' }),
  },
} as const;

export type ActionName = keyof typeof fields;

function action<Name extends ActionName>(name: Name) {
  return t.Object(
    { action: t.Literal(name), ...fields[name] },
    { additionalProperties: false, title: `${name} action` },
  );
}

export const Action = t.Union([
  action('screenshot'),
  action('zoom'),
  action('move'),
  action('click'),
  action('mouseDown'),
  action('mouseUp'),
  action('drag'),
  action('scroll'),
  action('type'),
  action('key'),
  action('holdKey'),
  action('keyDown'),
  action('keyUp'),
  action('wait'),
  action('waitUntil'),
  action('cursorPosition'),
  action('openUrl'),
]);

export const Coordinates = t.Union(
  [
    t.Object(
      { frameId: t.String({ pattern: '^fr_[0-7][0-9a-hjkmnp-tv-z]{25}$' }) },
      { additionalProperties: false, description: 'Pixels of that screenshot.' },
    ),
    t.Object(
      {
        space: t.Literal('pixels'),
        width: t.Integer({ minimum: 1, maximum: 16_384 }),
        height: t.Integer({ minimum: 1, maximum: 16_384 }),
      },
      { additionalProperties: false, description: 'Pixels of a picture of this size.' },
    ),
    t.Object(
      {
        space: t.Literal('normalized'),
        max: t.Optional(t.Integer({ minimum: 1, maximum: 100_000, description: 'Default 1000.' })),
      },
      { additionalProperties: false, description: '0 to max-1 in both directions.' },
    ),
  ],
  { description: 'The space in which every x, y and region of the batch is given. Default: pixels of the screen.' },
);

export const ImageFormat = t.Union([t.Literal('png'), t.Literal('jpeg'), t.Literal('webp')]);

export const ScreenshotWish = t.Object({
  format: t.Optional(ImageFormat),
  quality: t.Optional(t.Integer({ minimum: 1, maximum: 100, description: 'Of jpeg and webp. Default 75.' })),
  maxEdge: t.Optional(
    t.Integer({ minimum: 16, maximum: 4096, description: 'The longer edge is scaled down to this.' }),
  ),
  region: t.Optional(Region),
  since: t.Optional(
    t.String({
      pattern: '^fr_[0-7][0-9a-hjkmnp-tv-z]{25}$',
      description: 'Answer only what changed since that frame.',
    }),
  ),
});

export const ActionBatch = t.Object(
  {
    actions: t.Array(Action, { minItems: 1, maxItems: 100 }),
    coordinates: t.Optional(Coordinates),
    onError: t.Optional(t.Literal('stop', { description: 'The first failure ends the batch.' })),
    settle: t.Optional(
      t.Object(
        {
          quietMs: t.Optional(t.Integer({ minimum: 0, maximum: 10_000, description: 'Default 150.' })),
          timeoutMs: t.Optional(
            t.Integer({ minimum: 0, maximum: 30_000, description: 'Default 2,000. Reaching it is no failure.' }),
          ),
          region: t.Optional(Region),
        },
        { description: 'Wait after the last action until the screen was quiet.' },
      ),
    ),
    screenshot: t.Optional(
      t.Union([t.Boolean(), ScreenshotWish], { description: 'Default true: a webp of the whole screen. False: none.' }),
    ),
  },
  { additionalProperties: false },
);

export const Frame = t.Object({
  frameId: t.String(),
  width: t.Integer({ description: 'Of the picture, pixels.' }),
  height: t.Integer(),
  scale: t.Number({ description: 'Picture pixels for one screen pixel.' }),
  screenWidth: t.Integer(),
  screenHeight: t.Integer(),
  region: t.Object(
    { x: t.Integer(), y: t.Integer(), width: t.Integer(), height: t.Integer() },
    { description: 'The part of the screen that it shows, screen pixels.' },
  ),
  hash: t.String({ description: 'Equal pixels have an equal hash.' }),
  takenAt: t.String({ format: 'date-time' }),
});

export const Image = t.Object({
  format: ImageFormat,
  width: t.Integer(),
  height: t.Integer(),
  x: t.Integer({ description: 'Where its top left corner stands in the frame, picture pixels.' }),
  y: t.Integer(),
  data: t.String({ description: 'Base64.' }),
});

export const Screenshot = t.Object({
  frame: Frame,
  unchanged: t.Boolean({
    description: 'True: nothing differs from the frame named in `since`, and `images` is empty.',
  }),
  images: t.Array(Image, {
    description: 'One image of the whole frame, or with `since` those of the parts that changed.',
  }),
});

export const ActionResult = t.Object({
  action: t.String(),
  ok: t.Boolean(),
  durationMs: t.Number(),
  result: t.Optional(
    t.Object({
      x: t.Optional(t.Integer()),
      y: t.Optional(t.Integer()),
      screenshot: t.Optional(Screenshot),
      matched: t.Optional(t.String()),
    }),
  ),
  error: t.Optional(t.Object({ code: t.String(), detail: t.String(), hint: t.Optional(t.String()) })),
});

export const Window = t.Object({
  windowId: t.String({ pattern: '^0x[0-9a-f]{1,8}$' }),
  title: t.String(),
  className: t.String(),
  pid: t.Nullable(t.Integer()),
  x: t.Integer(),
  y: t.Integer(),
  width: t.Integer(),
  height: t.Integer(),
  active: t.Boolean(),
  minimized: t.Boolean(),
});

export const ActionBatchResult = t.Object({
  completed: t.Integer({ description: 'How many actions succeeded.' }),
  results: t.Array(ActionResult),
  settled: t.Boolean({ description: 'Whether the screen became quiet in time.' }),
  screenshot: t.Nullable(Screenshot),
  cursor: t.Nullable(t.Object({ x: t.Integer(), y: t.Integer() }, { description: 'Screen pixels.' })),
  activeWindow: t.Nullable(Window),
});

const follow = {
  coordinates: t.Optional(Coordinates),
  settle: ActionBatch.properties.settle,
  screenshot: ActionBatch.properties.screenshot,
};
/** The thin verbs: one action each, the answer of a batch. `screenshot` defaults to false there. */
export const ClickBody = t.Object({ ...fields.click, ...follow }, { additionalProperties: false });
export const DragBody = t.Object(
  {
    ...fields.drag,
    path: t.Optional(fields.drag.path),
    startX: t.Optional(x),
    startY: t.Optional(y),
    endX: t.Optional(x),
    endY: t.Optional(y),
    ...follow,
  },
  { additionalProperties: false, description: 'Either `path`, or `startX`, `startY`, `endX` and `endY`.' },
);
export const ScrollBody = t.Object({ ...fields.scroll, ...follow }, { additionalProperties: false });
export const TypeBody = t.Object({ ...fields.type, ...follow }, { additionalProperties: false });
export const KeyBody = t.Object(
  {
    key: t.Optional(
      t.String({
        minLength: 1,
        maxLength: 200,
        description: 'A key or chord by its xdotool name: `Return`, `ctrl+a`.',
      }),
    ),
    keys: t.Optional(keys),
    repeat: fields.key.repeat,
    ...follow,
  },
  { additionalProperties: false, description: 'Either `key` or `keys`.' },
);
