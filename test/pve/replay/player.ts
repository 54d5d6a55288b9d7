import { Dispatcher, type Reply } from '../api/dispatch.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import { readSchema } from '../api/reference.ts';
import { MachinesInMemory } from '../vm/machinesInMemory.ts';
import { seedState } from '../world/seed.ts';
import type { Version } from '../world/state.ts';
import { runStatd } from '../world/statd.ts';
import { World } from '../world/world.ts';
import { arrange, heldByCleanup, leftByOthers, lookedAt, recordedWorld } from './arrange.ts';
import { differences } from './compare.ts';
import { readCases, type Case, type Exchange } from './recording.ts';
import { FastClock } from './fastClock.ts';

export interface Disagreement {
  case: string;
  n: number;
  line: string;
  found: string[];
}

export interface Outcome {
  exchanges: number;
  cases: number;
  disagreements: Disagreement[];
}

const nodeNames: Record<Version, string> = { '8.4': 'pve1', '9.2': 'pve9' };
const tokens: Record<string, string | undefined> = {
  rec: 'PVEAPIToken=rec@pve!t1=rec',
  adm: 'PVEAPIToken=adm@pve!t1=adm',
  none: 'PVEAPIToken=none@pve!t1=none',
  'rec-wrong-secret': 'PVEAPIToken=rec@pve!t1=wrong',
  'unknown-token': 'PVEAPIToken=nobody@pve!t9=wrong',
  'no-auth': undefined,
};

/** Sends every recorded request to the double, in order, in the recording's own time, and compares the answers. */
export async function replay(reference: string, version: Version): Promise<Outcome> {
  const player = new Player(reference, version);
  const outcome: Outcome = { exchanges: 0, cases: 0, disagreements: [] };
  for (const one of readCases(reference, version)) {
    outcome.cases += 1;
    outcome.exchanges += one.exchanges.length;
    outcome.disagreements.push(...(await player.play(one)));
  }
  player.stop();
  return outcome;
}

class Player {
  private readonly clock = new FastClock(1_795_339_000_000);
  private readonly node: string;
  private readonly world: World;
  private readonly dispatcher: Dispatcher;
  private readonly ended = new AbortController();
  /** Recorded UPIDs, digests and pids, and what the double calls them. */
  private readonly known = new Map<string, string>();

  constructor(reference: string, version: Version) {
    this.node = nodeNames[version];
    const nowMs = this.clock.nowMs();
    const state = seedState({ version, nodes: [this.node], nowMs });
    recordedWorld(state, this.node, nowMs);
    const machines = new MachinesInMemory({ clock: this.clock, pace: 1, bootMs: 12_000, shutdownMs: 300 });
    this.world = new World({
      state,
      schema: readSchema(reference),
      machines,
      clock: this.clock,
      pace: 1,
      changed: () => {},
    });
    this.dispatcher = new Dispatcher(this.world, { localNode: this.node });
    void runStatd(this.world, this.ended.signal);
  }

  stop(): void {
    this.ended.abort();
  }

  private run = '';
  /** Tasks of this case that the recording says ended well: of several at once, they had the lock first. */
  private winners = new Set<string | undefined>();

  async play(one: Case): Promise<Disagreement[]> {
    const run = one.exchanges[0]?.run ?? '';
    if (run !== this.run) for (const vmid of Object.keys(this.world.state.vms)) this.world.locks.free(Number(vmid));
    this.run = run;
    await this.during(arrange(this.world, this.node, one.given ?? ''));
    await this.during(heldByCleanup(this.world, this.node, one.exchanges));
    leftByOthers(this.world, one.exchanges);
    const found: Disagreement[] = [];
    const open: Promise<void>[] = [];
    this.winners = new Set(one.exchanges.flatMap(endedWell));
    const first = one.exchanges[0]?.atMs ?? 0;
    const startedMs = this.clock.nowMs();
    for (const exchange of one.exchanges) {
      const next = one.exchanges[one.exchanges.indexOf(exchange) + 1];
      // A log is read once the polls before it have seen the end.
      if (exchange.request.template.endsWith('/log')) await this.during(Promise.all(open));
      await this.clock.until(startedMs + exchange.atMs - first);
      if (one.name === 'err-agent-disabled' && exchange.n === 3)
        await this.during(arrange(this.world, this.node, 'VM 4202 running'));
      const running = this.exchange(exchange)
        .catch((error: unknown) => [`the double broke: ${String(error)}`])
        .then((differing) => {
          if (differing.length > 0)
            found.push({ case: one.name, n: exchange.n, line: lineOf(exchange), found: differing });
        });
      open.push(running);
      const overlaps = next !== undefined && next.atMs < exchange.atMs + exchange.elapsedMs - 5;
      if (!overlaps) await this.during(Promise.all(open));
    }
    await this.during(Promise.all(open));
    return found.toSorted((a, b) => a.n - b.n);
  }

  /** Time goes on as long as something is waited for. */
  private async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const noted = work.finally(() => {
      done = true;
    });
    noted.catch(() => {});
    await this.clock.settle();
    for (let steps = 0; !done && steps < 20_000; steps++) {
      await this.clock.step();
      await this.clock.settle();
    }
    return noted;
  }

  private async exchange(exchange: Exchange): Promise<string[]> {
    const { request, fold, response } = exchange;
    await this.clock.sleep(effectMs(exchange) - (this.winners.has(startedTask(exchange)) ? 5 : 0));
    const send = () =>
      this.dispatcher.handle({
        method: request.method,
        path: this.translate(request.path),
        params: JSON.parse(this.translate(JSON.stringify(request.params ?? {}))) as Record<string, Json>,
        authorization: request.as in tokens ? tokens[request.as] : `PVEAPIToken=${request.as}`,
      });
    lookedAt(this.world, exchange);
    let reply = await send();
    for (let polls = 0; polls < 400 && fold === 'final' && unfinished(exchange, reply); polls++) {
      await this.clock.sleep(250);
      reply = await send();
    }
    this.learn(response.body, reply.body);
    return differences(exchange, reply);
  }

  private translate(text: string): string {
    let translated = text;
    for (const [theirs, ours] of this.known) translated = translated.replaceAll(theirs, ours);
    return translated;
  }

  private learn(theirs: Json, ours: Json): void {
    const a = (theirs as JsonObject | null)?.data;
    const b = (ours as JsonObject | null)?.data;
    if (typeof a === 'string' && typeof b === 'string' && a.startsWith('UPID:')) this.known.set(a, b);
    const [one, two] = [a, b] as [JsonObject | null | undefined, JsonObject | null | undefined];
    if (!one || !two || typeof one !== 'object' || typeof two !== 'object') return;
    if (typeof one.digest === 'string' && typeof two.digest === 'string') this.known.set(one.digest, two.digest);
    if (typeof one.upid === 'string' && typeof two.upid === 'string') this.known.set(one.upid, two.upid);
    if (Object.keys(one).join() === 'pid') this.known.set(`"pid":${String(one.pid)}`, `"pid":${String(two.pid)}`);
  }
}

/**
 * When within an exchange its effect is: a worker is started early and its UPID comes later (of several at once the lowest
 * pid was first); everything else is looked at near the end. What took long waited for something the double waits for too.
 */
function effectMs(exchange: Exchange): number {
  const upid = startedTask(exchange);
  if (upid !== undefined) return 10 + (Number.parseInt(upid.split(':')[2] ?? '0', 16) % 1000) / 100;
  return exchange.elapsedMs < 1000 ? Math.max(0, exchange.elapsedMs - 5) : 0;
}

function endedWell({ response }: Exchange): string[] {
  const data = (response.body as JsonObject | null)?.data as JsonObject | null | undefined;
  return data?.exitstatus === 'OK' && typeof data.upid === 'string' ? [data.upid] : [];
}

function startedTask({ request, response }: Exchange): string | undefined {
  const data = (response.body as JsonObject | null)?.data;
  return request.method !== 'GET' && typeof data === 'string' && data.startsWith('UPID:') ? data : undefined;
}

/** A folded poll stands for many: go on until the task has ended or the answer is the recorded one's kind. */
function unfinished(exchange: Exchange, reply: Reply): boolean {
  const data = (reply.body as JsonObject | null)?.data as JsonObject | null;
  if (exchange.request.template.endsWith('/status') && exchange.request.path.includes('/tasks/'))
    return data?.status === 'running';
  return exchange.response.status === 200 && reply.status !== 200;
}

function lineOf({ request }: Exchange): string {
  const params = JSON.stringify(request.params ?? {});
  return `${request.method} ${request.path} ${params.slice(0, 100)} as ${request.as}`;
}
