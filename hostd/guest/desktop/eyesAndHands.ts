import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { runActions } from '../actions/runActions.ts';
import type { Action, ActionBatch, ActionBatchResult, Window } from '../actions/types.ts';
import type { Display } from '../display/display.ts';
import type { FrameStore } from '../display/frameStore.ts';
import { type ScreenshotWish, type Shot, takeShot } from '../display/screenshot.ts';
import type { InitChannel } from '../init/channel.ts';
import type { Hands } from '../input/hands.ts';
import { HeldInputs } from '../input/heldInputs.ts';
import { RfbHands } from '../input/rfbHands.ts';
import { DesktopGuestSide } from './guestSide.ts';
import { GuestPrograms } from './guestPrograms.ts';
import { type ThinVerbs, thinBatch } from './thinVerbs.ts';
import { X11Link } from './x11Link.ts';
import { XTestHands } from './xtestHands.ts';

export interface EyesAndHandsParts {
  display: Display;
  frames: FrameStore;
  /** A fresh connection to the socket of the guest's X server, as root. */
  openX11: () => Promise<Duplex>;
  init: () => Promise<InitChannel>;
  clock: Clock;
  log: Log;
}

/** The layout of a fresh desktop is the US one, which the display's own keys type as well. */
const keyboardWaitMs = 3_000;
const guestWaitMs = 15_000;
const focusTimeoutMs = 5_000;
/** What an explicit `keyDown` or `mouseDown` holds is let go of when nothing more was asked for so long. */
const heldMaxMs = 60_000;
const waitingMax = 16;

/** Looking at one desktop and working it: everything but shell and files. One batch of actions at a time. */
export class EyesAndHands {
  private readonly parts: EyesAndHandsParts;
  private readonly link: X11Link;
  private readonly guest: DesktopGuestSide;
  private readonly rfbHands: RfbHands;
  private hands: Hands;
  private held: HeldInputs;
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;
  private actedMs = 0;
  private watching = false;
  private readonly end = new AbortController();

  constructor(parts: EyesAndHandsParts) {
    const { clock, log } = parts;
    const programs = new GuestPrograms(parts.init);
    this.parts = parts;
    this.link = new X11Link({ open: parts.openX11, clock, log });
    this.guest = new DesktopGuestSide({ link: this.link, programs, clock });
    this.rfbHands = new RfbHands(parts.display, clock);
    this.hands = this.rfbHands;
    this.held = new HeldInputs(this.hands);
  }

  /** Opens the connection to the X server in the background. */
  warm(): void {
    this.link.warm();
  }

  screenshot(wish: ScreenshotWish): Promise<Shot> {
    return takeShot(this.parts.display, this.parts.frames, wish);
  }

  /** Batches of one desktop run one after the other. @throws as `runActions`; Fault `rate_limited` when too many wait. */
  actions(batch: ActionBatch, signal: AbortSignal): Promise<ActionBatchResult> {
    if (this.waiting >= waitingMax) {
      throw new Fault('rate_limited', 'Too many batches wait for this desktop.', { retryAfterSeconds: 1 });
    }
    this.waiting += 1;
    const result = this.turn.then(() => this.act(batch, signal));
    this.turn = result.then(
      () => {},
      () => {},
    );
    return result.finally(() => {
      this.waiting -= 1;
    });
  }

  /** One action; its failure is thrown. */
  async verb<Verb extends keyof ThinVerbs>(
    verb: Verb,
    body: ThinVerbs[Verb],
    signal: AbortSignal,
  ): Promise<ActionBatchResult> {
    const result = await this.actions(thinBatch(verb, body), signal);
    const error = result.results[0]?.error;
    if (error) throw new Fault(error.code, error.detail, { hint: error.hint });
    return result;
  }

  async clipboard(): Promise<{ text: string }> {
    return { text: await (await this.link.session()).clipboard.get() };
  }

  async setClipboard(text: string): Promise<{ text: string }> {
    await this.guest.setClipboard(text);
    return { text };
  }

  windows(): Promise<Window[]> {
    return this.guest.windows();
  }

  /** Brings it to the front and resolves with it when it has the keyboard. @throws Fault `not_found`, `timeout`. */
  async focusWindow(windowId: string): Promise<Window> {
    const { clock } = this.parts;
    const { windows } = await this.link.session();
    const find = async () => (await windows.list()).find((window) => window.windowId === windowId);
    if (!(await find())) throw new Fault('not_found', 'The desktop has no such window.', { hint: 'List the windows.' });
    await windows.activate(windowId);
    const endMs = clock.monotonicMs() + focusTimeoutMs;
    for (;;) {
      const window = await find();
      if (window?.active) return window;
      if (clock.monotonicMs() >= endMs) throw new Fault('timeout', 'The window did not come to the front.');
      await clock.sleep(30);
    }
  }

  /** Lets go of every key and button that actions hold down. */
  async letGo(): Promise<void> {
    if (this.held.any) await this.held.releaseAll().catch(() => {});
  }

  close(): void {
    this.end.abort();
    this.link.close();
  }

  private async act(batch: ActionBatch, signal: AbortSignal): Promise<ActionBatchResult> {
    const either = AbortSignal.any([signal, this.end.signal]);
    either.throwIfAborted();
    await this.chooseHands(batch);
    const { display, frames, clock } = this.parts;
    const { hands, held, guest } = this;
    try {
      return await runActions(batch, { display, frames, hands, held, guest, clock }, either);
    } finally {
      this.actedMs = clock.monotonicMs();
      if (held.any) this.watchHeld();
    }
  }

  /** Those by the X server once it answers; what is held stays with the hands that hold it. */
  private async chooseHands(batch: ActionBatch): Promise<void> {
    const session = this.link.ready ?? (await this.waitForSession(batch));
    if (this.held.any && !(this.hands instanceof XTestHands && this.hands.session !== session)) return;
    if (session && this.hands instanceof XTestHands && this.hands.session === session) return;
    this.hands = session ? new XTestHands(session, this.parts.display) : this.rfbHands;
    this.held = new HeldInputs(this.hands);
  }

  /** Waits only for what the display's own keys and buttons may not do as well. */
  private async waitForSession(batch: ActionBatch) {
    const texts = batch.actions.flatMap((action) => (action.action === 'type' ? [action.text] : []));
    const usesKeys = batch.actions.some(({ action }) => ['type', 'key', 'holdKey', 'keyDown'].includes(action));
    const onlyGuest = texts.some((text) => !RfbHands.knows(text)) || batch.actions.some(needsGuestButton);
    if (onlyGuest || usesKeys) {
      return this.link.session(onlyGuest ? guestWaitMs : keyboardWaitMs).catch(() => undefined);
    }
    this.link.warm();
    return undefined;
  }

  private watchHeld(): void {
    if (this.watching) return;
    this.watching = true;
    void this.releaseLater().finally(() => {
      this.watching = false;
    });
  }

  private async releaseLater(): Promise<void> {
    const { clock } = this.parts;
    while (this.held.any && !this.end.signal.aborted) {
      const leftMs = this.actedMs + heldMaxMs - clock.monotonicMs();
      if (leftMs > 0) await clock.sleep(leftMs, this.end.signal);
      else await this.held.releaseAll().catch(() => {});
      if (leftMs <= 0) return;
    }
  }
}

function needsGuestButton(action: Action): boolean {
  if ('button' in action && (action.button === 'back' || action.button === 'forward')) return true;
  return action.action === 'type' ? action.method === 'paste' : action.action === 'scroll' && (action.dx ?? 0) !== 0;
}
