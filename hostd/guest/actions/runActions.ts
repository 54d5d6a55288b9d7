import { Fault, isFault } from '@lebureau/kit/fault';
import type { Framebuffer } from '../display/framebuffer.ts';
import { type ScreenshotWish, takeShot, toScreenshot } from '../display/screenshot.ts';
import { type CoordinateMap, type Coordinates, frameMap, normalizedMap, screenMap } from '../input/coordinates.ts';
import { prepareActions } from './prepareAction.ts';
import type { ActionBatch, ActionBatchResult, ActionContext, ActionResult, Step } from './types.ts';

const actionsMax = 100;
const settleDefaults = { quietMs: 150, timeoutMs: 2_000 };

/**
 * Runs the actions in order and stops at the first that fails; then waits until the screen is quiet and takes one frame.
 * Nothing is done when a coordinate, key or frame is refused. What a failed or aborted batch pressed is let go of; what
 * `keyDown` and `mouseDown` of a batch that succeeded hold stays held.
 * @throws Fault `stale_frame` with the fresh `screenshot` in its members, `out_of_bounds`, `unknown_key`,
 * `invalid_request`, `capture_failed`, `guest_unreachable`; the reason of `signal` when it aborts.
 */
export async function runActions(
  batch: ActionBatch,
  context: ActionContext,
  signal: AbortSignal,
): Promise<ActionBatchResult> {
  if (batch.actions.length < 1 || batch.actions.length > actionsMax) {
    throw new Fault('invalid_request', `A batch has 1 to ${actionsMax} actions.`);
  }
  const framebuffer = await context.display.fresh();
  const map = await mapOf(batch, context, framebuffer);
  const steps = prepareActions(batch.actions, map);
  const settleRegion = batch.settle?.region && map.region(batch.settle.region);
  const wish = wishOf(batch, map);

  try {
    const results = await runSteps({ batch, steps }, context, signal);
    const looks = batch.settle !== undefined || wish !== undefined;
    const settle = { ...settleDefaults, ...batch.settle, region: settleRegion };
    if (looks) await context.hands.sync();
    const settled = looks && (await context.display.quiet(settle, signal));
    const [screenshot, cursor, activeWindow] = await Promise.all([
      wish ? takeShot(context.display, context.frames, wish).then(toScreenshot) : null,
      unlessUnreachable(() => context.hands.cursor()),
      unlessUnreachable(() => context.guest.activeWindow()),
      looks ? undefined : context.hands.sync(),
    ]);
    signal.throwIfAborted();
    return { completed: results.filter(({ ok }) => ok).length, results, settled, screenshot, cursor, activeWindow };
  } catch (error) {
    await context.held.releaseAll().catch(() => {});
    throw error;
  }
}

async function runSteps(
  { batch, steps }: { batch: ActionBatch; steps: readonly Step[] },
  context: ActionContext,
  signal: AbortSignal,
): Promise<ActionResult[]> {
  const results: ActionResult[] = [];
  for (const [index, step] of steps.entries()) {
    signal.throwIfAborted();
    const startMs = context.clock.monotonicMs();
    const done = await attempt(step, context, signal);
    const durationMs = Math.round((context.clock.monotonicMs() - startMs) * 10) / 10;
    results.push({ action: batch.actions[index]!.action, durationMs, ...done });
    if (done.ok) continue;
    await context.held.releaseAll().catch(() => {});
    break;
  }
  signal.throwIfAborted();
  return results;
}

/** A Fault is the result of the action; what aborts the batch, and bugs, are thrown on. */
async function attempt(
  step: Step,
  context: ActionContext,
  signal: AbortSignal,
): Promise<Pick<ActionResult, 'ok' | 'result' | 'error'>> {
  try {
    const result = await step(context, signal);
    return result ? { ok: true, result } : { ok: true };
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    const { code, message: detail, extra } = error;
    return { ok: false, error: { code, detail, ...(extra.hint === undefined ? {} : { hint: extra.hint }) } };
  }
}

async function mapOf(
  batch: { coordinates?: Coordinates; screenshot?: ActionBatch['screenshot'] },
  context: ActionContext,
  framebuffer: Framebuffer,
): Promise<CoordinateMap> {
  const { coordinates } = batch;
  if (!coordinates) return screenMap(framebuffer);
  if ('frameId' in coordinates) {
    const record = context.frames.find(coordinates.frameId, framebuffer);
    if (record) return frameMap(record.frame, framebuffer);
    const wish =
      typeof batch.screenshot === 'object' ? { format: batch.screenshot.format ?? 'webp' } : { format: 'webp' };
    const shot = await takeShot(context.display, context.frames, wish as ScreenshotWish);
    throw new Fault('stale_frame', 'The screen has another size since that frame, or the frame is too old.', {
      members: { screenshot: toScreenshot(shot) },
    });
  }
  if (coordinates.space === 'normalized') return normalizedMap(coordinates.max ?? 1000, framebuffer);
  const { width, height } = coordinates;
  return frameMap({ width, height, region: framebuffer.screen }, framebuffer);
}

function wishOf({ screenshot }: ActionBatch, map: CoordinateMap): ScreenshotWish | undefined {
  if (screenshot === false) return undefined;
  const wish = typeof screenshot === 'object' ? screenshot : {};
  return { ...wish, format: wish.format ?? 'webp', region: wish.region && map.region(wish.region) };
}

async function unlessUnreachable<Value>(ask: () => Promise<Value | undefined>): Promise<Value | null> {
  try {
    return (await ask()) ?? null;
  } catch (error) {
    if (isFault(error)) return null;
    throw error;
  }
}
