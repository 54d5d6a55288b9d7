import type { components } from '@lebureau/openapi/node';
import { Fault } from '@lebureau/kit/fault';
import type { ThinVerbs } from '../desktop/thinVerbs.ts';
import { toScreenshot, type Shot } from '../display/screenshot.ts';
import { answer, wholeNumber, type GuestHandler, type GuestHandlers } from './operation.ts';

type Schemas = components['schemas'];

const mediaTypes = { png: 'image/png', jpeg: 'image/jpeg', webp: 'image/webp' } as const;

/** Looking at the desktop and working it. */
export const eyeHandlers: GuestHandlers = {
  takeScreenshot: async (guest, call) => {
    const wish = screenshotWish(call.query);
    const shot = await guest.eyes.screenshot(wish);
    if (call.query.get('as') === 'json') return answer(toScreenshot(shot));
    if (shot.unchanged) return new Response(null, { status: 304, headers: frameHeaders(shot) });
    return pictureResponse(isWhole(shot) ? shot : await guest.eyes.screenshot({ ...wish, since: undefined }));
  },
  runActions: async (guest, call) =>
    answer(await guest.eyes.actions(await call.json<Schemas['ActionBatch']>(), call.signal)),
  click: verb('click'),
  drag: verb('drag'),
  scroll: verb('scroll'),
  typeText: verb('type'),
  pressKey: verb('key'),
  getClipboard: async (guest) => answer(await guest.eyes.clipboard()),
  setClipboard: async (guest, call) => {
    const { text } = await call.json<Schemas['Clipboard']>();
    return answer(await guest.eyes.setClipboard(text));
  },
  listWindows: async (guest) => answer({ data: await guest.eyes.windows() }),
  focusWindow: async (guest, call) => answer(await guest.eyes.focusWindow(call.params['windowId'] ?? '')),
};

function verb<Verb extends keyof ThinVerbs>(name: Verb): GuestHandler {
  return async (guest, call) => answer(await guest.eyes.verb(name, await call.json<ThinVerbs[Verb]>(), call.signal));
}

/** Only the JSON form carries the changed parts; a picture is always the whole frame. */
function isWhole({ frame, pictures }: Shot): boolean {
  const only = pictures[0];
  return pictures.length === 1 && only?.width === frame.width && only.height === frame.height;
}

function pictureResponse(shot: Shot): Response {
  const picture = shot.pictures[0];
  if (picture === undefined) throw new Fault('capture_failed', 'The screen gave no picture.');
  const headers = { ...frameHeaders(shot), 'content-type': mediaTypes[picture.format] };
  return new Response(Buffer.from(picture.bytes), { headers });
}

function frameHeaders({ frame }: Shot): Record<string, string> {
  return { frame: JSON.stringify(frame), etag: `"${frame.frameId}"`, 'cache-control': 'no-store' };
}

function screenshotWish(query: URLSearchParams): Schemas['ScreenshotWish'] {
  const format = query.get('format') ?? undefined;
  if (format !== undefined && !(format in mediaTypes))
    throw new Fault('invalid_request', 'format wants png, jpeg or webp.');
  const [x, y, width, height] = query.get('region')?.split(',').map(Number) ?? [];
  const given = x !== undefined && y !== undefined && width !== undefined && height !== undefined;
  return {
    format: format as keyof typeof mediaTypes | undefined,
    quality: wholeNumber(query, 'quality'),
    maxEdge: wholeNumber(query, 'maxEdge'),
    since: query.get('since') ?? undefined,
    region: given ? { x, y, width, height } : undefined,
  };
}
