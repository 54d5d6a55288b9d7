import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { Rectangle } from '../display/damageGrid.ts';

export type Coordinates = components['schemas']['Coordinates'];

export interface Point {
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

/** Where a picture of `width`×`height` shows `region` of the screen. */
export interface FrameGeometry extends Size {
  region: Rectangle;
}

/** Turns what a caller read in a picture into pixels of the screen. */
export interface CoordinateMap {
  /** A pixel of the screen. @throws Fault `out_of_bounds` when it lies more than a pixel outside. */
  point(at: Point): Point;
  /** @throws Fault `out_of_bounds`. */
  region(area: Rectangle): Rectangle;
}

/** Pixels of the screen itself. */
export function screenMap(screen: Size): CoordinateMap {
  return frameMap({ ...screen, region: { x: 0, y: 0, ...screen } }, screen);
}

/** Pixels of a frame: `round(x · regionWidth / frameWidth)`, from the corner of the region that the frame shows. */
export function frameMap(frame: FrameGeometry, screen: Size): CoordinateMap {
  const scale = { x: frame.region.width / frame.width, y: frame.region.height / frame.height };
  return makeMap(screen, frame, {
    toScreen: (at) => ({ x: frame.region.x + at.x * scale.x, y: frame.region.y + at.y * scale.y }),
    round: Math.round,
  });
}

/** 0 to max-1 in both directions: `floor(x / max · screenWidth)`. */
export function normalizedMap(max: number, screen: Size): CoordinateMap {
  return makeMap(
    screen,
    { width: max, height: max },
    {
      toScreen: (at) => ({ x: (at.x / max) * screen.width, y: (at.y / max) * screen.height }),
      round: Math.floor,
    },
  );
}

function makeMap(
  screen: Size,
  space: Size,
  { toScreen, round }: { toScreen: (at: Point) => Point; round: (value: number) => number },
): CoordinateMap {
  const point = (at: Point): Point => {
    // One pixel of slack beyond 0 and width-1: rounding on the way here must not refuse an honest edge.
    const inside = at.x >= -1 && at.y >= -1 && at.x <= space.width && at.y <= space.height;
    if (!inside || !Number.isFinite(at.x) || !Number.isFinite(at.y)) throw outside(at, space);
    const exact = toScreen(at);
    return {
      x: Math.min(screen.width - 1, Math.max(0, round(exact.x))),
      y: Math.min(screen.height - 1, Math.max(0, round(exact.y))),
    };
  };
  const region = (area: Rectangle): Rectangle => {
    const end = { x: area.x + area.width, y: area.y + area.height };
    if (area.x < -1 || area.y < -1 || end.x > space.width + 1 || end.y > space.height + 1) throw outside(area, space);
    const from = toScreen(area);
    const to = toScreen(end);
    const x = Math.min(screen.width - 1, Math.max(0, Math.floor(from.x)));
    const y = Math.min(screen.height - 1, Math.max(0, Math.floor(from.y)));
    return {
      x,
      y,
      width: Math.max(1, Math.min(screen.width, Math.ceil(to.x)) - x),
      height: Math.max(1, Math.min(screen.height, Math.ceil(to.y)) - y),
    };
  };
  return { point, region };
}

function outside(at: Point, space: Size): Fault {
  return new Fault('out_of_bounds', `(${at.x}, ${at.y}) lies outside ${space.width}×${space.height}.`, {
    members: { x: at.x, y: at.y, width: space.width, height: space.height },
  });
}
