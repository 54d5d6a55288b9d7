import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';

/** What a confirmation is good for: this caller, this tool, these arguments. */
export interface Confirmed {
  caller: string;
  tool: string;
  args: Record<string, unknown>;
}

const lifetimeMs = 5 * 60_000;

/** Tokens that say "this was announced": good for five minutes, for one caller, tool and set of arguments. */
export class ConfirmTokens {
  readonly #clock: Clock;
  readonly #key = randomBytes(32);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(confirmed: Confirmed): string {
    const expiresMs = this.#clock.nowMs() + lifetimeMs;
    return `${expiresMs.toString(36)}.${this.#mac(confirmed, expiresMs)}`;
  }

  accepts(token: string, confirmed: Confirmed): boolean {
    const [expiry = '', mac = ''] = token.split('.');
    const expiresMs = Number.parseInt(expiry, 36);
    if (!(expiresMs > this.#clock.nowMs())) return false;
    const expected = Buffer.from(this.#mac(confirmed, expiresMs));
    const given = Buffer.from(mac);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #mac({ caller, tool, args }: Confirmed, expiresMs: number): string {
    const parts = JSON.stringify([caller, tool, canonical(args), expiresMs]);
    return createHmac('sha256', this.#key).update(parts).digest('base64url');
  }
}

/** Who calls, without keeping the key itself. */
export function callerOf(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('base64url');
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => [name, canonical(member)]);
}
