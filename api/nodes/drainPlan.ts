import type { AssignmentRow, NodeRow } from '../db/tables.ts';

/** Moves of one node at a time: a live one fills its network. */
const movesMax = 2;

export interface DrainPlan {
  /** To be moved where there is a place, in this order, until so many have one. */
  move: AssignmentRow[];
  movesFree: number;
  /** Moves that failed until the grace was over. */
  callOff: AssignmentRow[];
  stop: AssignmentRow[];
  /** Nothing runs there any more, and nothing is on its way. */
  isOver: boolean;
}

/** What a drain does now with the desktops that are there. Pure. */
export function planDrain(node: NodeRow, open: readonly AssignmentRow[], nowMs: number): DrainPlan {
  const isMoving = node.drainMode === 'move';
  const isDue = node.drainMs !== null && node.drainMs <= nowMs;
  const untried = (order: AssignmentRow) => order.moveFaultJson === null;
  const movable = isMoving ? open.filter(isMovable) : [];
  const movesFree = movesMax - open.filter((order) => order.moveNodeId !== null).length;
  const wanted = open.filter((order) => order.desired === 'running');
  const runs = open.some((order) => order.presence !== 'absent' && order.power !== 'off');
  // Who waits for its turn goes on after the grace; who was tried in vain is stopped.
  const waits = new Set(movable.filter(untried));
  const stays = wanted.filter((order) => order.moveNodeId === null && !waits.has(order));
  const stop = isDue && node.drainUnmoved === 'stop' ? stays : [];
  const again = movable.filter((order) => !waits.has(order) && !stop.includes(order));
  return {
    move: movesFree > 0 ? [...waits, ...again] : [],
    movesFree,
    callOff: isDue ? open.filter((order) => order.moveTo !== null && !untried(order)) : [],
    stop,
    isOver: wanted.length === 0 && !runs && waits.size === 0 && open.every((order) => order.moveNodeId === null),
  };
}

/** It is settled: off or running as it should, and no move of it was refused for good. */
function isMovable(order: AssignmentRow): boolean {
  if (order.moveNodeId !== null || order.desired === 'deleted' || order.presence !== 'present') return false;
  if (order.observedGeneration !== order.generation || isFinal(order.faultJson) || isFinal(order.moveFaultJson))
    return false;
  return (
    (order.power === 'off' && (order.desired !== 'running' || order.faultJson === null)) ||
    (order.power === 'running' && order.desired === 'running' && order.boot >= order.desiredBoot)
  );
}

function isFinal(faultJson: string | null): boolean {
  return faultJson !== null && (JSON.parse(faultJson) as { class: string }).class !== 'retry';
}
