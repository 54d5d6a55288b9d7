import type { Hands, MouseButton } from './hands.ts';

/** What is pressed now, so that it is let go of whatever happens. */
export class HeldInputs {
  private readonly hands: Hands;
  private readonly keysyms = new Set<number>();
  private readonly buttons = new Set<MouseButton>();

  constructor(hands: Hands) {
    this.hands = hands;
  }

  /** Noted before it is pressed: a failure half-way must not leave it held. */
  async key(keysym: number, down: boolean): Promise<void> {
    if (down) this.keysyms.add(keysym);
    await this.hands.key(keysym, down);
    if (!down) this.keysyms.delete(keysym);
  }

  async button(button: MouseButton, down: boolean): Promise<void> {
    if (down) this.buttons.add(button);
    await this.hands.button(button, down);
    if (!down) this.buttons.delete(button);
  }

  get any(): boolean {
    return this.keysyms.size + this.buttons.size > 0;
  }

  /** Lets go of everything, the last pressed first. Goes on after a failure, then throws the first. */
  async releaseAll(): Promise<void> {
    const releases = [
      ...[...this.buttons].map((button) => () => this.button(button, false)),
      ...[...this.keysyms].reverse().map((keysym) => () => this.key(keysym, false)),
    ];
    let failure: unknown;
    for (const release of releases) {
      try {
        await release();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}
