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

export interface Row {
  order: Assignment;
  observed?: Observation;
  /** Its absence was observed after it was deleted: it is in no list any more. */
  gone: boolean;
}

/** The API's half of the node contract in memory: compare-and-set on epoch, seq and generation. */
export class ApiDouble {
  readonly rows = new Map<string, Row>();
  strangers: Stranger[] = [];
  private readonly clock: Clock;
  private readonly flaw: 'forgetsClones' | undefined;
  private epoch = 0;
  private lastSeq = 0;
  private revision = 0;
  private waiting: (() => void)[] = [];

  constructor(clock: Clock, flaw?: 'forgetsClones') {
    this.clock = clock;
    this.flaw = flaw;
  }

  insert(order: Assignment): void {
    this.rows.set(order.assignmentId, { order, gone: false });
    this.changed();
  }

  /** What a user asks for. Deletion is final. */
  want(assignmentId: string, wish: 'running' | 'stopped' | 'deleted' | 'restart' | 'claimed'): void {
    const row = this.row(assignmentId);
    if (row.order.desired === 'deleted') return;
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
      assignments: (ask) => this.travel(at, 'orders', () => this.list(ask)),
      metrics: () => Promise.resolve({ dropped: 0 }),
      report: (report) => this.travel(at, 'report', () => this.accept(report)),
    };
  }

  private async travel<Answer>(at: FakePoint, name: string, handle: () => Answer | Promise<Answer>): Promise<Answer> {
    await at(`${name}:before`, '');
    const answer = await handle();
    await at(`${name}:after`, '');
    return answer;
  }

  private hello(hello: NodeHello): NodeWelcome {
    if (hello.epoch === undefined) {
      this.epoch += 1;
      this.lastSeq = 0;
    } else this.check(hello.epoch);
    return { nodeId: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4', epoch: this.epoch, reclaimAfterSeconds: 600 };
  }

  private async list(ask: { epoch: number; after?: string; waitSeconds: number }): Promise<AssignmentList> {
    this.check(ask.epoch);
    if (ask.after === String(this.revision)) {
      const over = new AbortController();
      const change = new Promise<void>((resolve) => this.waiting.push(resolve));
      await Promise.race([change, this.clock.sleep(ask.waitSeconds * 1000, over.signal)]);
      over.abort('settled');
      this.check(ask.epoch);
    }
    const assignments = [...this.rows.values()].filter((row) => !row.gone).map((row) => row.order);
    return { epoch: ask.epoch, revision: String(this.revision), assignments };
  }

  private accept(report: ObservationReport): ObservationReceipt {
    this.check(report.epoch);
    if (report.seq <= this.lastSeq) return { refused: [] };
    this.lastSeq = report.seq;
    this.strangers = report.strangers;
    const refused = report.observations.flatMap((one) => {
      const reason = this.acceptOne(one);
      return reason === undefined ? [] : [{ assignmentId: one.assignmentId, reason }];
    });
    return { refused };
  }

  private acceptOne(observation: Observation): string | undefined {
    const row = this.rows.get(observation.assignmentId);
    if (row === undefined || row.gone) return 'unknown_assignment';
    if (observation.generation !== row.order.generation) return 'older_generation';
    row.observed = observation;
    if (observation.presence === 'present' && !row.order.cloneSeen && this.flaw !== 'forgetsClones') {
      row.order = { ...row.order, cloneSeen: true };
      this.changed();
    }
    if (observation.presence === 'absent' && row.order.desired === 'deleted') {
      row.gone = true;
      this.changed();
    }
    return undefined;
  }

  private check(epoch: number): void {
    if (epoch !== this.epoch) throw new Fault('epoch_superseded', 'Another hostd has taken over this node.');
  }

  private changed(): void {
    this.revision += 1;
    for (const wake of this.waiting.splice(0)) wake();
  }
}
