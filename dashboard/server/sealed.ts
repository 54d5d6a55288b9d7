import type { Clock } from '@lebureau/kit/clock';
import { EncryptJWT, jwtDecrypt, type JWTPayload } from 'jose';

/** Keeps something in a cookie that only we can read or make. */
export class Sealed<Content extends object> {
  readonly #key: Uint8Array;
  readonly #clock: Clock;
  readonly lifeSeconds: number;

  /** @param key 32 bytes, of this purpose alone */
  constructor(key: Uint8Array, options: { clock: Clock; lifeSeconds: number }) {
    this.#key = key;
    this.#clock = options.clock;
    this.lifeSeconds = options.lifeSeconds;
  }

  seal(content: Content): Promise<string> {
    const seconds = Math.floor(this.#clock.nowMs() / 1000);
    return new EncryptJWT(content as JWTPayload)
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + this.lifeSeconds)
      .encrypt(this.#key);
  }

  /** Undefined when it is not ours or too old. */
  async open(cookie: string | undefined): Promise<Content | undefined> {
    if (cookie === undefined) return undefined;
    const options = { currentDate: new Date(this.#clock.nowMs()), keyManagementAlgorithms: ['dir'] };
    const opened = await jwtDecrypt(cookie, this.#key, options).catch(() => undefined);
    return opened?.payload as Content | undefined;
  }
}
