import { Fault } from '@lebureau/kit/fault';
import { terminalChannelsMax } from '../guest/server/connection.ts';
import type { StreamKind } from './kinds.ts';

/** Who wants to see what of which desktop. */
export interface PlaceWish {
  assignmentId: string;
  /** Whose streams are counted together: the person behind keys, clients and sessions. */
  behind: string;
  kind: StreamKind;
  /** It only looks: whoever may watch may do so, and no more. */
  watches: boolean;
}

const streamsMax = 100;
/** More than a session's previews hold (48), and little enough that two others find room. */
const streamsEachMax = 64;
/** QEMU shows one screen to 32; one of them is hostd's own, by which agents see. */
const screensMax = 31;
const screensEachMax = 12;
/** However many people watch, somebody who may write finds a screen. */
const watchersMax = 23;
/** Of all streams, so that a screen with `control` finds a place when everything else is taken. */
const othersMax = 90;
/** Fewer than the channels of the SSH connection of terminals: one that ends may hold its channel a little longer. */
const terminalsMax = terminalChannelsMax - 2;
const terminalsEachMax = 8;

/**
 * How many streams a desktop has, and whose they are. hostd counts, because every replica of the API leads here. A place is
 * taken before anything is opened, so that many who come at once are counted as well.
 */
export class StreamPlaces {
  readonly #taken = new Map<string, Set<PlaceWish>>();

  /** @throws Fault `rate_limited` that says whose streams are in the way */
  demandRoom(wish: PlaceWish): void {
    const all = [...(this.#taken.get(wish.assignmentId) ?? [])];
    const own = all.filter(({ behind }) => behind === wish.behind);
    if (own.length >= streamsEachMax) throw ownFull(`${streamsEachMax} streams`);
    if (wish.kind === 'vnc') demandScreen(wish, all, own);
    if (wish.kind === 'terminal') demandTerminal(all, own);
    if (!writesOnScreen(wish) && all.filter((each) => !writesOnScreen(each)).length >= othersMax)
      throw full(`${othersMax} streams`);
    if (all.length >= streamsMax) throw full(`${streamsMax} streams`);
  }

  /** @returns what gives it back. @throws Fault as `demandRoom` */
  take(wish: PlaceWish): () => void {
    this.demandRoom(wish);
    const { assignmentId } = wish;
    const taken = this.#taken.get(assignmentId) ?? new Set();
    const place = { ...wish };
    this.#taken.set(assignmentId, taken.add(place));
    return () => {
      taken.delete(place);
      if (taken.size === 0 && this.#taken.get(assignmentId) === taken) this.#taken.delete(assignmentId);
    };
  }
}

function demandScreen({ watches }: PlaceWish, all: readonly PlaceWish[], own: readonly PlaceWish[]): void {
  const isScreen = ({ kind }: PlaceWish) => kind === 'vnc';
  const screens = all.filter(isScreen);
  if (own.filter(isScreen).length >= screensEachMax) throw ownFull(`${screensEachMax} screens`);
  if (watches && screens.filter((each) => each.watches).length >= watchersMax)
    throw full(`${watchersMax} screens to watch`);
  if (screens.length >= screensMax) throw full(`${screensMax} screens`);
}

function demandTerminal(all: readonly PlaceWish[], own: readonly PlaceWish[]): void {
  const isTerminal = ({ kind }: PlaceWish) => kind === 'terminal';
  if (own.filter(isTerminal).length >= terminalsEachMax) throw ownFull(`${terminalsEachMax} terminals`);
  if (all.filter(isTerminal).length >= terminalsMax) throw full(`${terminalsMax} terminals`);
}

function writesOnScreen({ kind, watches }: PlaceWish): boolean {
  return kind === 'vnc' && !watches;
}

function ownFull(what: string): Fault {
  return new Fault('rate_limited', `You have ${what} of this desktop open already, under all your keys and sessions.`, {
    hint: 'Close one of them, then open this one.',
  });
}

function full(what: string): Fault {
  return new Fault('rate_limited', `${what} of this desktop are open already.`, {
    hint: 'Wait until somebody closes one; a screen with `mode` `control` has places that nothing else takes.',
  });
}
