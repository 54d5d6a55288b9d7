import type { Clock } from '@lebureau/kit/clock';
import type { components } from '@lebureau/openapi/node';
import type { Display } from '../display/display.ts';
import type { FrameStore } from '../display/frameStore.ts';
import type { CoordinateMap } from '../input/coordinates.ts';
import type { Hands } from '../input/hands.ts';
import type { HeldInputs } from '../input/heldInputs.ts';

type Schemas = components['schemas'];
export type Action = Schemas['Action'];
export type ActionName = Action['action'];
export type ActionOf<Name extends ActionName> = Extract<Action, { action: Name }>;
export type ActionBatch = Schemas['ActionBatch'];
export type ActionBatchResult = Schemas['ActionBatchResult'];
export type ActionResult = Schemas['ActionResult'];
export type Outcome = NonNullable<ActionResult['result']>;
export type Window = Schemas['Window'];

/** What only the guest can do. Everything may throw Fault `guest_unreachable`. */
export interface GuestSide {
  windows(): Promise<Window[]>;
  activeWindow(): Promise<Window | undefined>;
  /** Waits until `text` is in the accessibility tree; what it was found in, or undefined when the time was over. */
  findText(text: string, timeoutMs: number, signal: AbortSignal): Promise<string | undefined>;
  openUrl(url: string, signal: AbortSignal): Promise<void>;
  /** By the clipboard, whose former text is put back. */
  paste(text: string): Promise<void>;
}

/** All that actions work with. */
export interface ActionContext {
  display: Display;
  frames: FrameStore;
  hands: Hands;
  /** What explicit `keyDown` and `mouseDown` hold: it stays held over batches that succeed. */
  held: HeldInputs;
  guest: GuestSide;
  clock: Clock;
}

/** An action whose coordinates and keys were checked; running it does it. */
export type Step = (context: ActionContext, signal: AbortSignal) => Promise<Outcome | void>;

/** @throws Fault for coordinates, keys and combinations that cannot be. */
export type Prepare<Name extends ActionName> = (action: ActionOf<Name>, map: CoordinateMap) => Step;
