import type { components } from '@lebureau/openapi/node';
import { Fault } from '@lebureau/kit/fault';
import { takeShot, toScreenshot, type Shot } from '../display/screenshot.ts';
import { answer, wholeNumber, type GuestCall, type GuestHandlers } from './operation.ts';

type Schemas = components['schemas'];

const mediaTypes = { png: 'image/png', jpeg: 'image/jpeg', webp: 'image/webp' } as const;

/** What looks at the screen. */
export const eyeHandlers: GuestHandlers = {
  takeScreenshot: async (guest, call) => {
    const wish = screenshotWish(call.query);
    const shot = await takeShot(guest.display, guest.frames, wish);
    if (call.query.get('as') === 'json') return answer(toScreenshot(shot));
    if (shot.unchanged) return new Response(null, { status: 304, headers: frameHeaders(shot) });
    // Only the JSON form carries the changed parts; a picture is always the whole frame.
    const isWhole =
      shot.pictures.length === 1 &&
      shot.pictures[0]?.width === shot.frame.width &&
      shot.pictures[0].height === shot.frame.height;
    return pictureResponse(
      isWhole ? shot : await takeShot(guest.display, guest.frames, { ...wish, since: undefined }),
      call,
    );
  },
};

function pictureResponse(shot: Shot, call: GuestCall): Response {
  const picture = shot.pictures[0];
  if (picture === undefined) throw new Fault('capture_failed', 'The screen gave no picture.');
  call.signal.throwIfAborted();
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
  const region = query.get('region')?.split(',').map(Number);
  const [x, y, width, height] = region ?? [];
  return {
    format: format as keyof typeof mediaTypes | undefined,
    quality: wholeNumber(query, 'quality'),
    maxEdge: wholeNumber(query, 'maxEdge'),
    since: query.get('since') ?? undefined,
    region:
      x === undefined || y === undefined || width === undefined || height === undefined
        ? undefined
        : { x, y, width, height },
  };
}
