import { Fault } from '@lebureau/kit/fault';
import type { CoordinateMap, Point } from '../input/coordinates.ts';
import type { MouseButton } from '../input/hands.ts';
import { HeldInputs } from '../input/heldInputs.ts';
import { parseChord } from '../input/keys.ts';
import type { ActionContext, Prepare } from './types.ts';

const dragStepMs = 16;
const doubleClickGapMs = 40;
/** One click of the wheel scrolls about so far in browsers and GTK programs. */
const pixelsPerClick = 50;
const clicksMax = 500;

export const move: Prepare<'move'> = (action, map) => {
  const to = map.point(action);
  return withModifiers(action.modifiers, ({ hands }) => hands.move(to));
};

export const click: Prepare<'click'> = (action, map) => {
  const to = optionalPoint(action, map);
  const [button, count] = [action.button ?? 'left', action.count ?? 1];
  return withModifiers(action.modifiers, async (context, held) => {
    if (to) await context.hands.move(to);
    for (let done = 0; done < count; done++) {
      if (done > 0) await context.clock.sleep(doubleClickGapMs);
      await held.button(button, true);
      await held.button(button, false);
    }
  });
};

export const mouseDown: Prepare<'mouseDown'> = (action, map) => pressOrRelease(action, map, true);
export const mouseUp: Prepare<'mouseUp'> = (action, map) => pressOrRelease(action, map, false);

export const drag: Prepare<'drag'> = (action, map) => {
  const path = action.path.map((at) => map.point(at));
  const [button, durationMs] = [action.button ?? 'left', action.durationMs ?? 300];
  return withModifiers(action.modifiers, async (context, held, signal) => {
    await context.hands.move(path[0]!);
    await held.button(button, true);
    await followPath(context, { path, durationMs }, signal);
    await held.button(button, false);
  });
};

export const scroll: Prepare<'scroll'> = (action, map) => {
  const to = optionalPoint(action, map);
  const [right, down] = [clicksOf(action.dx, action.unit), clicksOf(action.dy, action.unit)];
  return withModifiers(action.modifiers, async ({ hands }) => {
    if (to) await hands.move(to);
    if (down !== 0) await hands.wheel(down > 0 ? 'down' : 'up', Math.abs(down));
    if (right !== 0) await hands.wheel(right > 0 ? 'right' : 'left', Math.abs(right));
  });
};

function pressOrRelease(
  action: { x?: number; y?: number; button?: MouseButton },
  map: CoordinateMap,
  down: boolean,
): ReturnType<Prepare<'mouseDown'>> {
  const to = optionalPoint(action, map);
  return async ({ hands, held }) => {
    if (to) await hands.move(to);
    await held.button(action.button ?? 'left', down);
  };
}

/** Holds the modifiers, and whatever `work` presses, only as long as it runs. */
function withModifiers(
  names: readonly string[] | undefined,
  work: (context: ActionContext, held: HeldInputs, signal: AbortSignal) => Promise<void>,
): ReturnType<Prepare<'move'>> {
  const modifiers = parseChord(names ?? []);
  return async (context, signal) => {
    const held = new HeldInputs(context.hands);
    try {
      for (const { keysym } of modifiers) await held.key(keysym, true);
      await work(context, held, signal);
    } finally {
      await held.releaseAll();
    }
  };
}

/** Along straight lines between the points, each taking an equal share of the time. */
async function followPath(
  { hands, clock }: ActionContext,
  { path, durationMs }: { path: readonly Point[]; durationMs: number },
  signal: AbortSignal,
): Promise<void> {
  const steps = Math.max(1, Math.ceil(durationMs / (path.length - 1) / dragStepMs));
  for (let leg = 1; leg < path.length; leg++) {
    const [from, to] = [path[leg - 1]!, path[leg]!];
    for (let step = 1; step <= steps; step++) {
      signal.throwIfAborted();
      const part = step / steps;
      await hands.move({
        x: Math.round(from.x + (to.x - from.x) * part),
        y: Math.round(from.y + (to.y - from.y) * part),
      });
      if (durationMs > 0) await clock.sleep(Math.min(dragStepMs, durationMs / (path.length - 1) / steps), signal);
    }
  }
}

function optionalPoint(at: { x?: number; y?: number }, map: CoordinateMap): Point | undefined {
  if (at.x === undefined && at.y === undefined) return undefined;
  if (at.x === undefined || at.y === undefined) throw new Fault('invalid_request', 'x and y come together.');
  return map.point({ x: at.x, y: at.y });
}

function clicksOf(amount = 0, unit: 'wheel' | 'pixel' = 'wheel'): number {
  const exact = unit === 'pixel' ? amount / pixelsPerClick : amount;
  const clicks = Math.sign(exact) * Math.ceil(Math.abs(exact) - 0.5 + (Math.abs(exact) < 1 ? 0.5 : 0));
  if (Math.abs(clicks) > clicksMax) {
    throw new Fault(
      'invalid_request',
      `${amount} is too far for one action: at most ${clicksMax} clicks of the wheel.`,
    );
  }
  return clicks === 0 ? 0 : clicks;
}
