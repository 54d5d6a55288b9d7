import { desktopParams } from '../desktops/schema.ts';
import type { Reply, Route } from '../http/route.ts';
import { guestOperations } from './contract.ts';
import type { Forwarder } from './forward.ts';
import type { GuestOperation } from './guestOperation.ts';
import { guestOperationsBelow } from './operations.ts';

/** One route for each row of the guest table. */
export function guestRoutes(forwarder: Forwarder): Route[] {
  const byId = new Map(guestOperations.map((operation) => [operation.operationId, operation]));
  return guestOperationsBelow('/v1/desktops/:desktopId', desktopParams).map((operation) => {
    const row = byId.get(operation.operationId)!;
    return { operation, handle: (call) => answerOf(row, forwarder.forward(row, call)) };
  });
}

/** A secret is in the first answer only, and not in what is kept for replays. */
async function answerOf(row: GuestOperation, forwarded: Promise<Response>): Promise<Reply | Response> {
  const answer = await forwarded;
  if (row.secret === undefined || !answer.ok) return answer;
  const body = (await answer.json()) as Record<string, unknown>;
  const { [row.secret]: _, ...replayBody } = body;
  return { status: answer.status, body, replayBody };
}
