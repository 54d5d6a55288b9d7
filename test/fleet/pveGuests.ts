import type { GuestDoor } from '../../hostd/act.ts';
import { identityMark } from '../../hostd/guest/init/channel.ts';
import type { Assignment } from '../../hostd/orders.ts';
import { Fault } from '../../kit/fault.ts';
import type { DriverWorld } from '../pve/driverWorld.ts';

interface Guest {
  /** The machine's start that this memory is of. */
  boot: number;
  identity: string;
  /** The node whose hostd told it who it is. */
  metBy: string;
}

/**
 * What guests of the double remember and have on their disks; both move with them. A guest is reached from the node that it
 * is on only, as on a bridge without ports.
 */
export class PveGuests {
  readonly disks = new Map<string, string[]>();
  private readonly guests = new Map<string, Guest>();

  constructor(private readonly world: DriverWorld) {}

  door(node: string): GuestDoor {
    return {
      identity: async (order) => this.reach(order.vmRef, node)?.identity,
      identify: async (order, identity) => {
        const boot = this.bootOf(order.vmRef, node);
        this.guests.set(order.vmRef, { boot, identity: identityMark(identity), metBy: node });
      },
      answerCommand: async (order: Assignment) => {
        if (this.reach(order.vmRef, node) === undefined) throw away();
      },
      takeFrame: async (order: Assignment) => void this.bootOf(order.vmRef, node),
      close: () => {},
    };
  }

  /** One call of the guest contract: what it says is kept on the disk, if this node's hostd may speak to it. */
  answer(node: string): (request: Request) => Promise<Response | undefined> {
    return async (request) => {
      const vmRef = /asg_([0-9a-z]{26})/.exec(request.url)?.[1];
      const { command } = (await request.json().catch(() => ({}))) as { command?: string };
      try {
        if (this.reach(`lb-${vmRef}`, node)?.metBy !== node) throw away();
      } catch {
        const body = { code: 'not_ready', detail: 'The desktop is not running.' };
        return Response.json(body, { status: 503, headers: { 'content-type': 'application/problem+json' } });
      }
      this.disks.set(`lb-${vmRef}`, [...(this.disks.get(`lb-${vmRef}`) ?? []), command ?? '']);
      return undefined;
    };
  }

  private reach(vmRef: string, node: string): Guest | undefined {
    const boot = this.bootOf(vmRef, node);
    const guest = this.guests.get(vmRef);
    return guest?.boot === boot ? guest : undefined;
  }

  private bootOf(vmRef: string, node: string): number {
    const vm = this.world.vms().find((one) => one.config.name === vmRef);
    if (vm?.run == null || vm.node !== node) throw away();
    return Number(/"boot":(\d+)/.exec(vm.config.description ?? '')?.[1]);
  }
}

function away(): Fault {
  return new Fault('guest_unreachable', 'The guest does not answer.');
}
