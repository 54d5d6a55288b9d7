import { Fault } from '@lebureau/kit/fault';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import type { GuestDoor } from '../../act.ts';
import type { Driver, VmSeen } from '../../hypervisor/driver.ts';
import { Slots } from '../../limit.ts';
import type { Assignment } from '../../orders.ts';
import type { GuestIdentity } from '../init/channel.ts';
import { GuestConnection } from './connection.ts';
import { isPainted } from './painted.ts';

/** What the rest of hostd knows of an assignment. */
export interface KnownGuest {
  order: Assignment;
  vm: VmSeen | undefined;
  identified: boolean;
}

export interface ConnectionsParts {
  driver: Driver;
  clock: Clock;
  log: Log;
  find: (assignmentId: string) => KnownGuest | undefined;
  /** False at first: then what `find` does not know may well be there. */
  knowsOrders: () => boolean;
  keysOf: (assignmentId: string) => { hostKey: string; privateKey: string };
  onInitLost: (assignmentId: string) => void;
  /** A desktop goes for good: nothing that was kept of it is needed. */
  onDeleted?: (assignmentId: string) => void;
  /** A desktop goes on at another node. */
  onMoved?: (assignmentId: string) => void;
  /** Whether a desktop is on its way: then what can wait waits. */
  isBusy: () => boolean;
}

const connectionsMax = 1000;
const healthTimeoutMs = 3_000;
const identifyTimeoutMs = 12_000;
const commandTimeoutMs = 8_000;
/** SSH logins are dear for a guest without virtualisation: one at a time, and not while a desktop is on its way. */
const warmAfterMs = 2_000;
const warmWaitsMax = 30;

/** The connections to all guests of this node, and the only way to them. */
export class GuestConnections implements GuestDoor {
  private readonly parts: ConnectionsParts;
  private readonly open = new Map<string, GuestConnection>();
  private readonly warming = new Slots(1);

  constructor(parts: ConnectionsParts) {
    this.parts = parts;
  }

  /** The connection of a guest that may be used. @throws Fault `not_found`, `not_ready` */
  of(assignmentId: string): GuestConnection {
    const known = this.parts.find(assignmentId);
    if (known === undefined && !this.parts.knowsOrders())
      throw new Fault('not_ready', 'The node does not know its desktops yet.', { retryAfterSeconds: 1 });
    if (known === undefined) throw new Fault('not_found', 'This node has no such desktop.');
    if (known.vm?.power !== 'running' || !known.identified) {
      throw new Fault('not_ready', 'The desktop is not running.', { retryAfterSeconds: 1 });
    }
    const connection = this.connection(known.order);
    if (connection.markUsed()) this.warmLater(known.order, connection);
    return connection;
  }

  async identity(order: Assignment): Promise<string | undefined> {
    const init = await this.connection(order).init();
    return (await init.health(healthTimeoutMs)).identity;
  }

  async identify(order: Assignment, identity: GuestIdentity): Promise<void> {
    const { clock } = this.parts;
    const calledMs = clock.monotonicMs();
    const init = await this.connection(order).init();
    // Seconds where the channel is a first login: the guest's clock must not be late by them.
    const clockMs = identity.clockMs + clock.monotonicMs() - calledMs;
    await init.identify({ ...identity, clockMs }, identifyTimeoutMs);
  }

  /** After a cold start the guest answers long before its desktop is painted; so the window manager must run, too. */
  async answerCommand(order: Assignment, signal: AbortSignal): Promise<void> {
    const connection = this.connection(order);
    const init = await connection.init();
    if (!this.isWarm(order)) {
      const health = await init.health(healthTimeoutMs);
      if (!health.displayUp || !health.windowManagerUp)
        throw new Fault('guest_unreachable', 'The desktop is still starting.');
    }
    const { exitCode } = await init.exec({
      argv: ['true'],
      user: 'agent',
      timeoutMs: commandTimeoutMs,
      outputMaxBytes: 1000,
      signal,
    });
    if (exitCode !== 0) throw new Fault('guest_unreachable', `The first command ended with ${exitCode}.`);
  }

  /** After a cold start the screen is empty for a while, although everything answers. */
  async takeFrame(order: Assignment): Promise<void> {
    const connection = this.connection(order);
    if (this.isWarm(order)) return connection.display.firstFrame();
    const framebuffer = await connection.display.fresh();
    if (!isPainted(framebuffer)) throw new Fault('guest_unreachable', 'The desktop is not painted yet.');
  }

  close(order: Assignment, why?: 'moved'): void {
    if (why === 'moved') this.parts.onMoved?.(order.assignmentId);
    this.open.get(order.assignmentId)?.close(why);
    this.open.delete(order.assignmentId);
    if (order.desired === 'deleted') this.parts.onDeleted?.(order.assignmentId);
  }

  closeAll(): void {
    for (const connection of this.open.values()) connection.close();
    this.open.clear();
  }

  private isWarm(order: Assignment): boolean {
    return this.parts.find(order.assignmentId)?.vm?.startMode === 'warm';
  }

  private connection(order: Assignment): GuestConnection {
    const known = this.open.get(order.assignmentId);
    if (known !== undefined) return known;
    if (this.open.size >= connectionsMax) throw new Fault('unavailable', 'Too many desktops are in use on this node.');
    const { driver, clock, log } = this.parts;
    const connection = new GuestConnection({
      driver,
      vmRef: order.vmRef,
      clock,
      log: log.with({ vmRef: order.vmRef }),
      keys: () => this.parts.keysOf(order.assignmentId),
      onInitLost: () => this.parts.onInitLost(order.assignmentId),
    });
    this.open.set(order.assignmentId, connection);
    return connection;
  }

  private warmLater(order: Assignment, connection: GuestConnection): void {
    const stillOpen = () => this.open.get(order.assignmentId) === connection;
    void this.warming
      .run(async () => {
        for (let waits = 0; waits === 0 || (waits < warmWaitsMax && this.parts.isBusy()); waits += 1) {
          await this.parts.clock.sleep(warmAfterMs);
        }
        if (stillOpen()) await connection.warm();
      })
      .catch(() => {});
  }
}
