import type { Action } from '../types.ts';

/** Where coordinates are read: pixels of a picture, or a square of 0 to max-1 whatever the picture's size. */
export type Space = { width: number; height: number } | { max: number };

/**
 * The same action with its coordinates in another space. Pixels to pixels round; normalised to pixels takes the pixel
 * that the value falls into; pixels to normalised takes the value nearest to the middle of the pixel.
 */
export function rescale(action: Action, from: Space, to: Space): Action {
  const x = (value: number) => convert(value, widthOf(from), widthOf(to));
  const y = (value: number) => convert(value, heightOf(from), heightOf(to));
  const moved: Record<string, unknown> = { ...action };
  if ('x' in action && action.x !== undefined) moved.x = x(action.x);
  if ('y' in action && action.y !== undefined) moved.y = y(action.y);
  if (action.action === 'drag') moved.path = action.path.map((at) => ({ x: x(at.x), y: y(at.y) }));
  if (action.action === 'zoom') {
    const { region } = action;
    const [left, top] = [x(region.x), y(region.y)];
    moved.region = {
      x: left,
      y: top,
      width: x(region.x + region.width) - left,
      height: y(region.y + region.height) - top,
    };
  }
  return moved as Action;
}

interface Axis {
  length: number;
  normalized: boolean;
}

function convert(value: number, from: Axis, to: Axis): number {
  if (from.normalized) return Math.floor((value / from.length) * to.length);
  if (to.normalized) return Math.min(to.length - 1, Math.round(((value + 0.5) * to.length) / from.length - 0.5));
  return Math.round((value * to.length) / from.length);
}

function widthOf(space: Space): Axis {
  return 'max' in space ? { length: space.max, normalized: true } : { length: space.width, normalized: false };
}

function heightOf(space: Space): Axis {
  return 'max' in space ? { length: space.max, normalized: true } : { length: space.height, normalized: false };
}
