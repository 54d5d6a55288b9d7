import type { GuestDoor } from '@lebureau/hostd/act';
import { identityMark } from '@lebureau/hostd/guest/init/channel';
import type { Driver } from '@lebureau/hostd/hypervisor/driver';
import type { Assignment } from '@lebureau/hostd/orders';
import { Fault } from '@lebureau/kit/fault';

/** A guest answers as soon as its VM runs, and knows what it was told until that ends. */
export class ToldGuests implements GuestDoor {
  /** VMs whose guests hang. */
  readonly hanging = new Set<string>();
  private readonly known = new Map<string, string>();

  constructor(private readonly driver: Driver) {}

  async identity(order: Assignment): Promise<string | undefined> {
    return this.known.get(`${order.vmRef}:${await this.boot(order)}`);
  }

  async identify(order: Assignment, identity: Parameters<GuestDoor['identify']>[1]): Promise<void> {
    this.known.set(`${order.vmRef}:${await this.boot(order)}`, identityMark(identity));
  }

  async answerCommand(order: Assignment): Promise<void> {
    await this.boot(order);
  }

  async takeFrame(order: Assignment): Promise<void> {
    await this.boot(order);
  }

  close(): void {}

  private async boot(order: Assignment): Promise<number> {
    const vm = await this.driver.look(order.vmRef);
    if (vm?.power !== 'running' || this.hanging.has(order.vmRef))
      throw new Fault('guest_unreachable', 'It does not answer.');
    return vm.boot;
  }
}
