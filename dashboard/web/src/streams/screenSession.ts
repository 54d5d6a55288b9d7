import RFB from '@novnc/novnc';
import { client, dataOf } from '../client.ts';
import { onlyWatches } from '../session.ts';
import { keepLocks } from './keepLocks.ts';
import { openStream } from './openStream.ts';
import { type ControlNews, ScreenChannel } from './screenChannel.ts';
import type { Typed } from './typedBetween.ts';

export type ScreenState = 'connecting' | 'live' | 'lost';

export interface Key {
  /** Of X. */
  keysym: number;
  /** As a browser names it: the place on the keyboard, whatever layout the desktop has. */
  code: string;
}

export interface ScreenListener {
  onState(state: ScreenState): void;
  onControl(news: ControlNews): void;
}

const againMaxMs = 10_000;
const repeatMax = 100;
/** Renewed long before it lapses, while the page is there. */
const leaseSeconds = 60;
const renewEveryMs = 20_000;

/** The live screen of a desktop in an element, opened again when it breaks, and the right to write on it. */
export class ScreenSession {
  readonly #desktopId: string;
  readonly #target: HTMLElement;
  readonly #listener: ScreenListener;
  #rfb: RFB | undefined;
  #channel: ScreenChannel | undefined;
  #leaseToken: string | undefined;
  #renewal: ReturnType<typeof setInterval> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #ended = false;
  /** Whoever loads the page again must not find themselves in their own way for a minute. */
  readonly #leave = () => this.end();

  constructor(desktopId: string, target: HTMLElement, listener: ScreenListener) {
    this.#desktopId = desktopId;
    this.#target = target;
    this.#listener = listener;
    addEventListener('pagehide', this.#leave);
    void this.#connect();
  }

  /** @throws ApiProblem when another person has it and `takeOver` is not said */
  async take(name: string, takeOver: boolean): Promise<void> {
    this.#leaseToken = await this.#lease({ name, takeOver });
    this.#channel?.sendControl(this.#leaseToken);
    clearInterval(this.#renewal);
    this.#renewal = setInterval(() => void this.#renew(name), renewEveryMs);
    this.#rfb?.focus();
  }

  async handBack(): Promise<void> {
    clearInterval(this.#renewal);
    const token = this.#leaseToken;
    this.#leaseToken = undefined;
    if (token === undefined) return;
    const params = { path: { desktopId: this.#desktopId } };
    const headers = { 'Control-Lease': token };
    await dataOf(client.DELETE('/v1/desktops/{desktopId}/control', { params, headers, keepalive: true }));
  }

  /** Presses them in this order and lets go of them in the other. */
  press(keys: readonly Key[]): void {
    for (const { keysym, code } of keys) this.#rfb?.sendKey(keysym, code, true);
    for (const { keysym, code } of keys.toReversed()) this.#rfb?.sendKey(keysym, code, false);
    this.#rfb?.focus();
  }

  /** Whatever characters, and whatever layout the desktop has: the display's own keys know some of a keyboard only. */
  async type({ erased, written }: Typed): Promise<void> {
    const to = this.#asHolder();
    for (let left = erased; left > 0; left -= repeatMax) {
      const body = { keys: ['BackSpace'], repeat: Math.min(left, repeatMax) };
      await dataOf(client.POST('/v1/desktops/{desktopId}/key', { ...to, body }));
    }
    if (written !== '') await dataOf(client.POST('/v1/desktops/{desktopId}/type', { ...to, body: { text: written } }));
  }

  /** Touching the screen takes the focus from nobody meanwhile. */
  keepFocus(kept: boolean): void {
    if (this.#rfb) this.#rfb.focusOnClick = !kept;
  }

  /** Puts a text on the desktop's clipboard. */
  async paste(text: string): Promise<void> {
    await dataOf(client.PUT('/v1/desktops/{desktopId}/clipboard', { ...this.#asHolder(), body: { text } }));
    // The next key is meant for there.
    this.#rfb?.focus();
  }

  /** What stands on the desktop's clipboard. */
  async copied(): Promise<string> {
    const params = { path: { desktopId: this.#desktopId } };
    return (await dataOf(client.GET('/v1/desktops/{desktopId}/clipboard', { params }))).text;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    removeEventListener('pagehide', this.#leave);
    clearTimeout(this.#again);
    void this.handBack().catch(() => undefined);
    this.#rfb?.disconnect();
  }

  #asHolder() {
    const headers = this.#leaseToken === undefined ? {} : { 'Control-Lease': this.#leaseToken };
    return { params: { path: { desktopId: this.#desktopId } }, headers };
  }

  async #connect(): Promise<void> {
    this.#listener.onState('connecting');
    try {
      const socket = await openStream(this.#desktopId, { kind: 'vnc', mode: onlyWatches.get() ? 'view' : 'control' });
      if (this.#ended) return socket.close();
      this.#channel = new ScreenChannel(socket, (news) => this.#onControl(news));
      const rfb = new RFB(this.#target, this.#channel, { shared: true });
      keepLocks(rfb);
      rfb.scaleViewport = true;
      rfb.viewOnly = true;
      rfb.background = 'transparent';
      rfb.addEventListener('connect', () => this.#onLive());
      rfb.addEventListener('disconnect', () => this.#onLost());
      this.#rfb = rfb;
    } catch {
      this.#onLost();
    }
  }

  #onLive(): void {
    this.#failures = 0;
    this.#listener.onState('live');
    if (this.#leaseToken !== undefined) this.#channel?.sendControl(this.#leaseToken);
  }

  #onLost(): void {
    if (this.#ended) return;
    this.#rfb = undefined;
    this.#listener.onState('lost');
    this.#failures += 1;
    const pauseMs = Math.min(againMaxMs, 500 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#again = setTimeout(() => void this.#connect(), pauseMs);
  }

  #onControl(news: ControlNews): void {
    // hostd drops what may not be written; not even sending it spares the way.
    if (this.#rfb) this.#rfb.viewOnly = !news.isYours;
    this.#listener.onControl(news);
  }

  async #renew(name: string): Promise<void> {
    await this.#lease({ name, takeOver: false, leaseToken: this.#leaseToken }).catch(() => undefined);
  }

  async #lease(wish: { name: string; takeOver: boolean; leaseToken?: string | undefined }): Promise<string> {
    const params = { path: { desktopId: this.#desktopId } };
    const body = { kind: 'human' as const, ttlSeconds: leaseSeconds, ...wish };
    const taken = await dataOf(client.POST('/v1/desktops/{desktopId}/control', { params, body }));
    return taken.leaseToken ?? wish.leaseToken ?? '';
  }
}
