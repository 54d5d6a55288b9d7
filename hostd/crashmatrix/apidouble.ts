import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { FakePoint } from '../hypervisor/fake.ts';
import type {
  Assignment,
  AssignmentList,
  NodeHello,
  NodeWelcome,
  Observation,
  ObservationReceipt,
  ObservationReport,
  OrderDesk,
  Stranger,
} from '../orders.ts';

export type ApiFlaw = 'forgetsClones' | 'keepsIdentityVersion' | 'ignoresArrivals';
export type Wish = 'running' | 'stopped' | 'deleted' | 'restart' | 'claimed' | 'moved' | 'unmoved';

export interface Row {
  order: Assignment;
  /** Whose hostd has the order. */
  node: string;
  observed?: Observation;
  /** Where it was ordered to go; kept until its node says that it stays. */
  sentTo?: string;
  /** Its absence was observed after it was deleted: it is in no list any more. */
  gone: boolean;
}

/** The API's half of the node contract in memory: compare-and-set on epoch, seq and generation. */
export class ApiDouble {
  readonly rows = new Map<string, Row>();
  strangers: Stranger[] = [];
  private readonly clock: Clock;
  private readonly flaw: ApiFlaw | undefined;
  private readonly nodes = new Map<string, { epoch: number; lastSeq: number }>();
  private epochs = 0;
  private revision = 0;
  private waiting: (() => void)[] = [];

  constructor(clock: Clock, flaw?: ApiFlaw) {
    this.clock = clock;
    this.flaw = flaw;
  }

  insert(order: Assignment, node = 'node'): void {
    this.rows.set(order.assignmentId, { order, node, gone: false });
    this.changed();
  }

  /** What a user asks for. Deletion is final. */
  want(assignmentId: string, wish: Wish): void {
    const row = this.row(assignmentId);
    if (row.order.desired === 'deleted') return;
    if (wish === 'moved' || wish === 'unmoved') {
      const move = wish === 'moved' ? { to: row.node === 'node' ? 'other' : 'node' } : undefined;
      row.order = { ...row.order, move, generation: row.order.generation + 1 };
      row.sentTo = move?.to ?? row.sentTo;
      return this.changed();
    }
    if (wish === 'claimed') {
      const { generation, identityVersion } = row.order;
      row.order = {
        ...row.order,
        desktopId: 'dsk_01k9x3v6m8e9t2q4r6s8v0w2y4',
        generation: generation + 1,
        identityVersion: identityVersion + 1,
        hostName: 'claimed',
      };
      return this.changed();
    }
    const startsAnew = wish === 'restart' || (wish === 'running' && row.order.desired !== 'running');
    row.order = {
      ...row.order,
      desired: wish === 'restart' ? 'running' : wish,
      desiredBoot: row.order.desiredBoot + (startsAnew ? 1 : 0),
      generation: row.order.generation + 1,
    };
    this.changed();
  }

  row(assignmentId: string): Row {
    const row = this.rows.get(assignmentId);
    if (row === undefined) throw new Error(`no row ${assignmentId}`);
    return row;
  }

  /** The desk of one process; `at` decides at each point whether the packet arrives. */
  desk(at: FakePoint): OrderDesk {
    return {
      hello: (hello) => this.travel(at, 'hello', () => this.hello(hello)),
      assignments: (ask) => this.travel(at, 'orders', () => this.list(this.nodeOf(ask.epoch), ask)),
      metrics: () => Promise.resolve({ dropped: 0 }),
      report: (report) => this.travel(at, 'report', () => this.accept(this.nodeOf(report.epoch), report)),
    };
  }

  private async travel<Answer>(at: FakePoint, name: string, handle: () => Answer | Promise<Answer>): Promise<Answer> {
    await at(`${name}:before`, '');
    const answer = await handle();
    await at(`${name}:after`, '');
    return answer;
  }

  private hello(hello: NodeHello): NodeWelcome {
    if (hello.epoch !== undefined) this.nodeOf(hello.epoch);
    const epoch = hello.epoch ?? ++this.epochs;
    if (hello.epoch === undefined) this.nodes.set(hello.nodeName, { epoch, lastSeq: 0 });
    return { nodeId: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4', epoch, reclaimAfterSeconds: 600 };
  }

  private async list(
    node: string,
    ask: { epoch: number; after?: string; waitSeconds: number },
  ): Promise<AssignmentList> {
    if (ask.after === String(this.revision)) {
      const over = new AbortController();
      const change = new Promise<void>((resolve) => this.waiting.push(resolve));
      await Promise.race([change, this.clock.sleep(ask.waitSeconds * 1000, over.signal)]);
      over.abort('settled');
      this.nodeOf(ask.epoch);
    }
    const own = [...this.rows.values()].filter((row) => !row.gone && row.node === node);
    const assignments = own.map((row) => row.order);
    return { epoch: ask.epoch, revision: String(this.revision), assignments };
  }

  private accept(node: string, report: ObservationReport): ObservationReceipt {
    const side = this.nodes.get(node)!;
    if (report.seq <= side.lastSeq) return { refused: [] };
    side.lastSeq = report.seq;
    this.strangers = report.strangers;
    for (const { owner } of report.strangers) this.adopt(node, this.rows.get(owner ?? ''));
    const refused = report.observations.flatMap((one) => {
      const reason = this.acceptOne(node, one);
      return reason === undefined ? [] : [{ assignmentId: one.assignmentId, reason }];
    });
    return { refused };
  }

  /** A VM that was to come here did, and whoever sent it has not told. */
  private adopt(node: string, row: Row | undefined): void {
    const isExpected = row !== undefined && !row.gone && row.node !== node && row.sentTo === node;
    if (isExpected && this.flaw !== 'ignoresArrivals') this.transfer(row, node);
  }

  private transfer(row: Row, node: string): void {
    const { generation, identityVersion } = row.order;
    const raise = this.flaw === 'keepsIdentityVersion' ? 0 : 1;
    row.node = node;
    row.sentTo = undefined;
    row.order = {
      ...row.order,
      move: undefined,
      generation: generation + 1,
      identityVersion: identityVersion + raise,
    };
    this.changed();
  }

  private acceptOne(node: string, observation: Observation): string | undefined {
    const row = this.rows.get(observation.assignmentId);
    if (row === undefined || row.gone) return 'unknown_assignment';
    if (row.node !== node) return 'other_node';
    if (observation.generation !== row.order.generation) return 'older_generation';
    row.observed = observation;
    if (observation.presence === 'present' && !row.order.cloneSeen && this.flaw !== 'forgetsClones') {
      row.order = { ...row.order, cloneSeen: true };
      this.changed();
    }
    const stays = observation.movedTo === undefined && observation.moving !== true;
    if (stays && row.order.move === undefined) row.sentTo = undefined;
    if (observation.movedTo !== undefined && this.flaw !== 'ignoresArrivals') this.transfer(row, observation.movedTo);
    if (observation.presence === 'absent' && row.order.desired === 'deleted') {
      row.gone = true;
      this.changed();
    }
    return undefined;
  }

  private nodeOf(epoch: number): string {
    for (const [name, side] of this.nodes) if (side.epoch === epoch) return name;
    throw new Fault('epoch_superseded', 'Another hostd has taken over this node.');
  }

  private changed(): void {
    this.revision += 1;
    for (const wake of this.waiting.splice(0)) wake();
  }
}
