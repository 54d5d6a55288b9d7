import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Driver, KeptIdentity } from './hypervisor/driver.ts';
import { type GuestIdentity, identityMark } from './guest/init/channel.ts';
import { within } from './limit.ts';
import type { Assignment } from './orders.ts';
import type { Effect, GuestPart } from './reconcile.ts';

/** The three things hostd asks of a guest before it calls it ready. Each may be asked again. */
export interface GuestDoor {
  /** `identityMark` of the last identify the guest acknowledged. @throws Fault `guest_unreachable` */
  identity(order: Assignment, signal: AbortSignal): Promise<string | undefined>;
  identify(order: Assignment, identity: GuestIdentity, signal: AbortSignal): Promise<void>;
  /** Resolves when a command was answered through the init channel. */
  answerCommand(order: Assignment, signal: AbortSignal): Promise<void>;
  /** Resolves when a whole frame of the display was received. */
  takeFrame(order: Assignment, signal: AbortSignal): Promise<void>;
  /** Forgets every connection to this guest: its VM stops, or is gone; `moved`: it goes on at another node. */
  close(order: Assignment, why?: 'moved'): void;
}

export interface ActParts {
  driver: Driver;
  guests: GuestDoor;
  clock: Clock;
  identityOf: (order: Assignment, boot: number) => GuestIdentity;
  macOf: (order: Assignment) => string;
}

const limitMs: Record<Exclude<Effect['kind'], 'confirm' | 'probe'>, number> = {
  clone: 120_000,
  start: 120_000,
  requestStop: 10_000,
  kill: 30_000,
  delete: 120_000,
  // Disks may travel with it.
  move: 4_200_000,
};
const probeLimitMs = 15_000;

/** Carries out one effect on the hypervisor. May be called again after any failure. */
export async function act(
  parts: ActParts,
  order: Assignment,
  effect: Exclude<Effect, { kind: 'confirm' } | { kind: 'probe' }>,
): Promise<void> {
  const doing = {
    clone: 'clone',
    start: 'start',
    requestStop: 'ask to stop',
    kill: 'cut the power of',
    delete: 'delete',
    move: 'move',
  }[effect.kind];
  const limit = {
    clock: parts.clock,
    limitMs: limitMs[effect.kind],
    code: 'hypervisor_failed',
    doing: `${doing} the virtual machine`,
  };
  await within(effectOn(parts, order, effect), limit);
}

function effectOn(
  parts: ActParts,
  order: Assignment,
  effect: Exclude<Effect, { kind: 'confirm' } | { kind: 'probe' }>,
): Promise<void> {
  const { driver, guests } = parts;
  switch (effect.kind) {
    case 'clone':
      return driver.clone({
        vmRef: order.vmRef,
        owner: order.assignmentId,
        templateId: order.templateId,
        ...order.hardware,
        network: order.network,
      });
    case 'start':
      return driver.start(order.vmRef, { boot: effect.boot, mac: parts.macOf(order) });
    case 'requestStop':
      return driver.requestStop(order.vmRef);
    case 'kill':
      guests.close(order);
      return driver.kill(order.vmRef);
    case 'delete':
      guests.close(order);
      return driver.delete(order.vmRef, order.assignmentId);
    case 'move':
      return move(parts, order, effect.to);
  }
}

async function move({ driver, guests, identityOf }: ActParts, order: Assignment, to: string): Promise<void> {
  if (driver.migrate === undefined) throw new Fault('move_refused', 'This hypervisor moves no virtual machines.');
  const { mac, machineId } = identityOf(order, 0);
  await driver.migrate({ vmRef: order.vmRef, owner: order.assignmentId, to, identity: { mac, machineId } });
  guests.close(order, 'moved');
}

export interface ProbeOrder {
  order: Assignment;
  boot: number;
  lacks: readonly GuestPart[];
  /** Of a guest that came from another node. */
  kept?: KeptIdentity;
  /** False when this process started this boot: then nobody can have identified it before. */
  mayBeIdentified: boolean;
  signal: AbortSignal;
  /** Told as soon as each part is there, so that one that failed does not undo the others. */
  gained: (part: GuestPart) => void;
}

/** Gets from the guest what it lacks; the display is looked at while the guest is told who it is. */
export async function probe(parts: ActParts, ask: ProbeOrder): Promise<void> {
  const limit = {
    clock: parts.clock,
    limitMs: probeLimitMs,
    code: 'guest_unreachable',
    doing: 'get an answer from the guest',
  };
  const ends = await Promise.allSettled([
    within(reachInit(parts, ask), limit),
    within(reachDisplay(parts, ask), limit),
  ]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

async function reachInit(parts: ActParts, ask: ProbeOrder): Promise<void> {
  const { order, boot, lacks, signal } = ask;
  if (lacks.includes('identity')) {
    const known = ask.mayBeIdentified ? await parts.guests.identity(order, signal) : undefined;
    const wanted = identityMark({ owner: order.assignmentId, boot, version: order.identityVersion });
    if (known !== wanted) await parts.guests.identify(order, { ...parts.identityOf(order, boot), ...ask.kept }, signal);
    ask.gained('identity');
  }
  if (lacks.includes('command')) {
    await parts.guests.answerCommand(order, signal);
    ask.gained('command');
  }
}

async function reachDisplay(parts: ActParts, ask: ProbeOrder): Promise<void> {
  if (!ask.lacks.includes('frame')) return;
  await parts.guests.takeFrame(ask.order, ask.signal);
  ask.gained('frame');
}
