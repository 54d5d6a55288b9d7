import type { PoolKind } from './kind.ts';

/** How many machines wait for whom. Pure: what was asked for of late and what is there come in, what to change comes out. */

export interface Demand extends PoolKind {
  poolKey: string;
  recentMilli: number;
  lastMs: number;
}

export interface Member {
  assignmentId: string;
  poolKey: string;
  nodeId: string;
  memoryMiB: number;
  ready: boolean;
  /** Its node is heard. One that is not may come back, so it is left alone, and serves nobody meanwhile. */
  heard: boolean;
  /** It failed, is off, or took too long: nobody will get it. */
  spoilt: boolean;
}

export interface PoolSettings {
  /** Machines that wait, over all kinds and nodes; 0: none. */
  membersMax: number;
  /** Share of the memory that may be promised of all nodes. */
  memoryPercent: number;
}

export interface PoolPlan {
  add: Demand[];
  drop: Member[];
}

const halfLifeMs = 600_000;
/** A kind that nobody asked for since is not kept waiting. */
const forgottenMs = 3_600_000;
/** One machine waits for so many creates of the last minutes. */
const createsPerMember = 4;

/** The creates of the last minutes, each counting half after ten. */
export function recentCreates(demand: Pick<Demand, 'recentMilli' | 'lastMs'>, nowMs: number): number {
  return (demand.recentMilli / 1000) * 0.5 ** (Math.max(0, nowMs - demand.lastMs) / halfLifeMs);
}

export function planPool(
  settings: PoolSettings,
  seen: { demand: readonly Demand[]; members: readonly Member[]; memoryMiB: number; templateIds: ReadonlySet<string> },
  nowMs: number,
): PoolPlan {
  const wanted = share(settings, seen, nowMs);
  const heard = seen.members.filter((member) => member.heard);
  const plan: PoolPlan = { add: [], drop: heard.filter((member) => member.spoilt) };
  const good = heard.filter((member) => !member.spoilt);
  for (const [poolKey, members] of Map.groupBy(good, (member) => member.poolKey)) {
    // What is not ready yet goes first: it serves nobody.
    const worstFirst = members.toSorted((a, b) => Number(a.ready) - Number(b.ready));
    plan.drop.push(...worstFirst.slice(0, Math.max(0, members.length - (wanted.get(poolKey) ?? 0))));
  }
  for (const demand of seen.demand) {
    const there = good.filter((member) => member.poolKey === demand.poolKey).length;
    if (there < (wanted.get(demand.poolKey) ?? 0)) plan.add.push(demand);
  }
  return plan;
}

/** How many of each kind, the most wanted first, until the budget is used up. */
function share(
  settings: PoolSettings,
  seen: { demand: readonly Demand[]; memoryMiB: number; templateIds: ReadonlySet<string> },
  nowMs: number,
): Map<string, number> {
  const wanted = new Map<string, number>();
  let membersLeft = settings.membersMax;
  let memoryLeftMiB = (seen.memoryMiB * settings.memoryPercent) / 100;
  const kinds = seen.demand
    .filter((each) => nowMs - each.lastMs < forgottenMs && seen.templateIds.has(each.templateId))
    .toSorted((a, b) => recentCreates(b, nowMs) - recentCreates(a, nowMs));
  for (const kind of kinds) {
    const asked = Math.max(1, Math.ceil(recentCreates(kind, nowMs) / createsPerMember));
    const count = Math.max(0, Math.min(asked, membersLeft, Math.floor(memoryLeftMiB / kind.memoryMiB)));
    wanted.set(kind.poolKey, count);
    membersLeft -= count;
    memoryLeftMiB -= count * kind.memoryMiB;
  }
  return wanted;
}
