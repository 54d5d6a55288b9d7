import type { components } from '@lebureau/openapi/node';
import type { Point } from './coordinates.ts';

export type MouseButton = components['schemas']['MouseButton'];
export type WheelDirection = 'up' | 'down' | 'left' | 'right';

/**
 * Pointer and keys of one desktop. Calls take effect in their order; `sync` resolves when the desktop took all of them.
 * Pressing what is held and releasing what is not does nothing.
 */
export interface Hands {
  move(to: Point): Promise<void>;
  button(button: MouseButton, down: boolean): Promise<void>;
  wheel(direction: WheelDirection, clicks: number): Promise<void>;
  key(keysym: number, down: boolean): Promise<void>;
  /** Presses all, in order, and lets go of them in reverse order. What is held already stays held. */
  chord(keysyms: readonly number[]): Promise<void>;
  /** Whether all of `text` can be typed in one go; else it wants to be pasted. */
  canType(text: string): Promise<boolean>;
  /** @throws Fault `guest_unreachable` when these hands cannot type a character of it. */
  type(text: string, options: TypeOptions): Promise<void>;
  sync(): Promise<void>;
  /** Undefined while it is unknown. */
  cursor(): Promise<Point | undefined>;
}

export interface TypeOptions {
  /** Pause between characters. */
  delayMs: number;
  signal?: AbortSignal;
}
