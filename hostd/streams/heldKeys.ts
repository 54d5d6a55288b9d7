const keysMax = 64;

/** What a viewer holds down, by the messages that passed, so that it can be let go of for it. */
export class HeldKeys {
  /** The message that releases each, by what it presses. */
  readonly #keys = new Map<string, Buffer>();
  #pointer: Buffer | undefined;

  /** @param message one whole message that passed */
  note(message: Buffer): void {
    if (message[0] === 5) return void (this.#pointer = message[1] === 0 ? undefined : Buffer.from(message));
    if (message[0] === 4) return this.#key(message, { name: message.toString('hex', 4, 8), downAt: 1 });
    if (message[0] === 255 && message[1] === 0) this.#key(message, { name: message.toString('hex', 8, 12), downAt: 3 });
  }

  /** The messages that let go of all of it. */
  release(): Buffer[] {
    const releases = [...this.#keys.values()];
    if (this.#pointer) {
      const release = Buffer.from(this.#pointer);
      release[1] = 0;
      releases.push(release);
    }
    this.#keys.clear();
    this.#pointer = undefined;
    return releases;
  }

  #key(message: Buffer, { name, downAt }: { name: string; downAt: number }): void {
    const isDown = message[downAt] !== 0;
    const id = `${message[0]} ${name}`;
    if (!isDown) return void this.#keys.delete(id);
    if (this.#keys.size >= keysMax) return;
    const release = Buffer.from(message);
    release[downAt] = 0;
    this.#keys.set(id, release);
  }
}
