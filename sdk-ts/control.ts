import { type Api, answerOf } from './api.ts';
import type { ApiPromise } from './apiPromise.ts';
import type { CallOptions } from './transport.ts';
import type { ControlHolder, ControlState, ControlTake } from './types.ts';

/** What a desktop remembers of control, so that its calls and streams carry the token. */
export interface HeldControl {
  leaseToken: string | undefined;
}

/** Who may write on one desktop: one person or one agent. */
export class Control {
  readonly #api: Api;
  readonly #path: { desktopId: string };
  readonly #held: HeldControl;

  constructor(api: Api, desktopId: string, held: HeldControl) {
    this.#api = api;
    this.#path = { desktopId };
    this.#held = held;
  }

  /** Who holds it, and until when. */
  get(options?: CallOptions): ApiPromise<ControlState> {
    return answerOf(
      this.#api.client.GET('/v1/desktops/{desktopId}/control', {
        params: { path: this.#path },
        ...this.#api.with(options),
      }),
    );
  }

  /**
   * Takes it. From then on mouse, keys and clipboard of this object write with it, and streams that it opens; `await using`
   * hands it back. A person takes it from an agent, an agent from nobody.
   * @throws HumanControlError, ControlHeldError
   */
  take(body: ControlTake, options?: CallOptions): ApiPromise<Lease> {
    const call = this.#api.client.POST('/v1/desktops/{desktopId}/control', {
      params: { path: this.#path },
      body,
      // A replay would lack the token, and whoever asks twice is refused by the first.
      ...this.#api.with(options, 'refused'),
    });
    return answerOf(call).map(({ holder, expiresAt, leaseToken = body.leaseToken ?? '' }) => {
      this.#held.leaseToken = leaseToken;
      return new Lease(this, { holder, expiresAt, leaseToken, kind: body.kind });
    });
  }

  /** Hands back what this object took; what it does not hold any more is no error. */
  async handBack(options?: CallOptions): Promise<void> {
    const { leaseToken } = this.#held;
    if (leaseToken === undefined) return;
    await answerOf(
      this.#api.client.DELETE('/v1/desktops/{desktopId}/control', {
        params: { path: this.#path },
        ...this.#api.with(options),
      }),
    );
    this.#held.leaseToken = undefined;
  }
}

/** Control that was taken. It lapses when it is not used for as long as was asked for. */
export class Lease {
  readonly holder: ControlHolder;
  readonly leaseToken: string;
  readonly #control: Control;
  readonly #kind: ControlTake['kind'];
  #expiresAt: string;

  constructor(
    control: Control,
    facts: { holder: ControlHolder; expiresAt: string; leaseToken: string; kind: ControlTake['kind'] },
  ) {
    this.#control = control;
    this.holder = facts.holder;
    this.leaseToken = facts.leaseToken;
    this.#kind = facts.kind;
    this.#expiresAt = facts.expiresAt;
  }

  /** As it was said last; use moves it. */
  get expiresAt(): string {
    return this.#expiresAt;
  }

  async renew(ttlSeconds?: number): Promise<void> {
    const wish = { kind: this.#kind, leaseToken: this.leaseToken, ...(ttlSeconds ? { ttlSeconds } : {}) };
    this.#expiresAt = (await this.#control.take(wish)).expiresAt;
  }

  handBack(): Promise<void> {
    return this.#control.handBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handBack();
  }
}
