import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import { Picture } from './picture.ts';
import type { CallOptions } from './transport.ts';
import type { Action, ActionBatch, ActionBatchResult, ScreenshotWire, ScreenshotWish } from './types.ts';

type Fields<Name extends Action['action']> = Omit<Extract<Action, { action: Name }>, 'action'>;
/** What may follow a single action; `screenshot` is false by default there. */
export type Follow = Pick<ActionBatch, 'coordinates' | 'settle' | 'screenshot'>;

export interface BatchResult extends Omit<ActionBatchResult, 'screenshot'> {
  screenshot: Picture | null;
}

/** Eyes and hands of one desktop. */
export class Computer {
  readonly #api: Api;
  readonly #path: { desktopId: string };

  constructor(api: Api, desktopId: string) {
    this.#api = api;
    this.#path = { desktopId };
  }

  /** Default: png of the whole screen. */
  screenshot(wish: ScreenshotWish = {}, options?: CallOptions): ApiPromise<Picture> {
    const { region, ...rest } = wish;
    const query = {
      as: 'json' as const,
      ...rest,
      ...(region ? { region: [region.x, region.y, region.width, region.height].map(Math.round).join(',') } : {}),
    };
    const call = this.#api.client.GET('/v1/desktops/{desktopId}/screenshot', {
      params: { path: this.#path, query },
      ...this.#api.with(options),
    });
    return answerOf(call).map((wire) => new Picture(wire as ScreenshotWire));
  }

  /** Runs the actions in order and stops at the first that fails; then looks, unless `screenshot` is false. */
  actions(batch: ActionBatch | Action[], options?: CallOptions): ApiPromise<BatchResult> {
    const body = Array.isArray(batch) ? { actions: batch } : batch;
    const call = this.#api.client.POST('/v1/desktops/{desktopId}/actions', {
      params: { path: this.#path },
      body,
      ...this.#api.with(options, 'refused'),
    });
    return answerOf(call).map(batchResult);
  }

  /** Collects actions: `await computer.batch().click({ x, y }).type({ text }).run()`. */
  batch(): BatchBuilder {
    return new BatchBuilder((batch, options) => this.actions(batch, options));
  }

  click(action: Fields<'click'> & Follow, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('click', action, options);
  }

  doubleClick(action: Omit<Fields<'click'>, 'count'> & Follow, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('click', { ...action, count: 2 }, options);
  }

  drag(action: Fields<'drag'> & Follow, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('drag', action, options);
  }

  scroll(action: Fields<'scroll'> & Follow, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('scroll', action, options);
  }

  /** @param action the text itself, or the whole action. */
  type(action: string | (Fields<'type'> & Follow), options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('type', typeof action === 'string' ? { text: action } : action, options);
  }

  /** @param action one chord as `"ctrl+a"`, or the whole action. */
  key(action: string | (Fields<'key'> & Follow), options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('key', typeof action === 'string' ? { keys: [action] } : action, options);
  }

  move(action: Fields<'move'> & Follow, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('move', action, options);
  }

  /** Waits inside the desktop: until the screen is stable, a window is there, or a text can be read. */
  waitUntil(action: Fields<'waitUntil'> & Follow, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('waitUntil', action, options);
  }

  openUrl(url: string, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#one('openUrl', { url }, options);
  }

  #one(name: Action['action'], fields: object, options: CallOptions | undefined): ApiPromise<BatchResult> {
    const { coordinates, settle, screenshot = false, ...action } = fields as Follow;
    const batch: ActionBatch = { actions: [{ action: name, ...action } as Action], screenshot };
    if (coordinates) batch.coordinates = coordinates;
    // Without a picture nobody waits for the screen to become quiet.
    if (settle || screenshot === false) batch.settle = settle ?? { quietMs: 0, timeoutMs: 0 };
    return this.actions(batch, options);
  }
}

type Run = (batch: ActionBatch, options?: CallOptions) => ApiPromise<BatchResult>;

/** Actions for one call, in order. */
export class BatchBuilder {
  readonly #actions: Action[] = [];
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  add(action: Action): this {
    this.#actions.push(action);
    return this;
  }

  click(fields: Fields<'click'>): this {
    return this.add({ action: 'click', ...fields });
  }

  move(fields: Fields<'move'>): this {
    return this.add({ action: 'move', ...fields });
  }

  drag(fields: Fields<'drag'>): this {
    return this.add({ action: 'drag', ...fields });
  }

  scroll(fields: Fields<'scroll'>): this {
    return this.add({ action: 'scroll', ...fields });
  }

  type(fields: Fields<'type'>): this {
    return this.add({ action: 'type', ...fields });
  }

  key(...keys: string[]): this {
    return this.add({ action: 'key', keys });
  }

  wait(durationMs: number): this {
    return this.add({ action: 'wait', durationMs });
  }

  waitUntil(fields: Fields<'waitUntil'>): this {
    return this.add({ action: 'waitUntil', ...fields });
  }

  run(follow: Follow = {}, options?: CallOptions): ApiPromise<BatchResult> {
    return this.#run({ ...follow, actions: this.#actions }, options);
  }
}

function batchResult(wire: ActionBatchResult): BatchResult {
  return { ...wire, screenshot: wire.screenshot ? new Picture(wire.screenshot) : null };
}
