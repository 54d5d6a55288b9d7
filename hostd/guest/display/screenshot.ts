import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import { type Rectangle, intersect, unite } from './damageGrid.ts';
import type { Display } from './display.ts';
import { type ImageFormat, encodeImage } from './encodeImage.ts';
import type { FrameRecord, FrameShape, FrameStore } from './frameStore.ts';
import type { Framebuffer } from './framebuffer.ts';

export type Screenshot = components['schemas']['Screenshot'];
export type ScreenshotWish = components['schemas']['ScreenshotWish'];
type Schemas = components['schemas'];

/** One picture before it becomes base64 or a response body. */
export interface Picture {
  format: ImageFormat;
  width: number;
  height: number;
  x: number;
  y: number;
  bytes: Uint8Array;
}

export interface Shot {
  frame: Schemas['Frame'];
  unchanged: boolean;
  pictures: Picture[];
}

/** More rectangles than this are sent as one around all of them. */
const picturesMax = 4;
/** Changed parts larger than this share of the frame are sent as the whole frame. */
const wholeAbove = 0.6;

/**
 * Takes a frame. `region` is in screen pixels. With `since` only what changed comes, unless that frame is forgotten or
 * was of another shape: then the whole frame comes, as without `since`.
 * @throws Fault `out_of_bounds` for a region outside the screen, `capture_failed`, `guest_unreachable`.
 */
export async function takeShot(display: Display, frames: FrameStore, wish: ScreenshotWish): Promise<Shot> {
  const framebuffer = await display.fresh();
  const before = wish.since === undefined ? undefined : frames.find(wish.since, framebuffer);
  const shape = shapeOf(framebuffer, wish, before);
  const comparable = before && sameShape(before, shape) ? before : undefined;
  const changed = comparable ? framebuffer.damage.changedSince(comparable.sequence, shape.region) : [shape.region];
  if (comparable && changed.length === 0) {
    return { frame: frames.add(framebuffer, shape, comparable.frame.hash).frame, unchanged: true, pictures: [] };
  }

  const whole = framebuffer.cut(shape.region);
  framebuffer.drawCursor(shape.region, whole);
  const hash = Bun.hash(whole).toString(16).padStart(16, '0');
  const { frame } = frames.add(framebuffer, shape, hash);
  if (comparable?.frame.hash === hash) return { frame, unchanged: true, pictures: [] };
  const scaled = shape.width !== shape.region.width || shape.height !== shape.region.height;
  const parts = scaled || !comparable ? [shape.region] : partsToSend(changed, shape.region);
  const source = { region: shape.region, whole };
  const pictures = await Promise.all(parts.map((part) => picture(source, part, wish, shape)));
  return { frame, unchanged: false, pictures };
}

/** The shot as it goes over the wire in JSON. */
export function toScreenshot({ frame, unchanged, pictures }: Shot): Screenshot {
  const images = pictures.map(({ bytes, ...place }) => ({ ...place, data: Buffer.from(bytes).toString('base64') }));
  return { frame, unchanged, images };
}

async function picture(
  source: { region: Rectangle; whole: Buffer },
  part: Rectangle,
  ...[wish, shape]: [ScreenshotWish, FrameShape]
): Promise<Picture> {
  const isWhole = part === source.region;
  const size = isWhole ? { width: shape.width, height: shape.height } : { width: part.width, height: part.height };
  const data = isWhole ? source.whole : cutPart(source, part);
  const format = wish.format ?? 'png';
  const bytes = await encodeImage(
    { width: part.width, height: part.height, data },
    { format, quality: wish.quality ?? 75, ...size },
  );
  return { format, ...size, x: part.x - source.region.x, y: part.y - source.region.y, bytes };
}

function cutPart(source: { region: Rectangle; whole: Buffer }, part: Rectangle): Buffer {
  const rowBytes = part.width * 4;
  const data = Buffer.allocUnsafe(rowBytes * part.height);
  for (let row = 0; row < part.height; row++) {
    const from = ((part.y - source.region.y + row) * source.region.width + (part.x - source.region.x)) * 4;
    source.whole.copy(data, row * rowBytes, from, from + rowBytes);
  }
  return data;
}

/** Region and scale: those asked for, else those of the frame compared with, else the whole screen. */
function shapeOf(framebuffer: Framebuffer, wish: ScreenshotWish, before: FrameRecord | undefined): FrameShape {
  if (before && !wish.region && wish.maxEdge === undefined) {
    const { region, width, height } = before.frame;
    return { region, width, height };
  }
  const region = wish.region ? wholePixels(wish.region, framebuffer) : framebuffer.screen;
  const edge = Math.max(region.width, region.height);
  const scale = wish.maxEdge !== undefined && wish.maxEdge < edge ? wish.maxEdge / edge : 1;
  return {
    region,
    width: Math.max(1, Math.round(region.width * scale)),
    height: Math.max(1, Math.round(region.height * scale)),
  };
}

/** The smallest rectangle of whole pixels around `region`. @throws Fault `out_of_bounds`. */
export function wholePixels(region: Rectangle, framebuffer: { width: number; height: number }): Rectangle {
  const x = Math.floor(region.x);
  const y = Math.floor(region.y);
  const right = Math.ceil(region.x + region.width);
  const bottom = Math.ceil(region.y + region.height);
  const screen = { x: 0, y: 0, width: framebuffer.width, height: framebuffer.height };
  const inside = intersect({ x, y, width: right - x, height: bottom - y }, screen);
  if (!inside || x < 0 || y < 0 || right > screen.width + 1 || bottom > screen.height + 1) {
    throw new Fault('out_of_bounds', `The region lies outside the screen of ${screen.width}×${screen.height}.`, {
      members: { screenWidth: screen.width, screenHeight: screen.height },
    });
  }
  return inside;
}

function sameShape({ frame }: FrameRecord, shape: FrameShape): boolean {
  return (
    frame.width === shape.width &&
    frame.height === shape.height &&
    frame.region.x === shape.region.x &&
    frame.region.y === shape.region.y &&
    frame.region.width === shape.region.width &&
    frame.region.height === shape.region.height
  );
}

function partsToSend(changed: readonly Rectangle[], region: Rectangle): Rectangle[] {
  const parts = changed.length > picturesMax ? [changed.reduce(unite)] : changed;
  const area = parts.reduce((sum, part) => sum + part.width * part.height, 0);
  return area > wholeAbove * region.width * region.height ? [region] : [...parts];
}
