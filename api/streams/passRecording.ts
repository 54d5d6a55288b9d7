import { Fault } from '@lebureau/kit/fault';
import { type Route, route } from '../http/route.ts';
import { problems } from '../http/problems.ts';
import { boundedText } from '../http/boundedText.ts';
import { type Admit, type NodePeer, demandOwn } from '../nodes/admission.ts';
import { formerNodesOf } from '../nodes/handOver.ts';
import { superseded } from '../nodes/hello.ts';
import type { Ways } from '../reach/ways.ts';
import type { Services } from '../services.ts';
import { giveRecording } from './nodeContract.ts';

const pieceMaxBytes = 4_194_304;
const answerTimeoutMs = 30_000;
const problemMaxBytes = 65_536;

/** What a node recorded of a desktop that left it goes through the API to the node that has the desktop now. */
export function recordingRoute(services: Services, ways: Ways, admit: Admit): Route {
  return route(giveRecording, async ({ params, query, request, peer }) => {
    const own = await admit(services.database.read, peer);
    const { epoch, ...piece } = query;
    const bytes = await readPiece(request);
    const to = await findTarget(services, own, { epoch, assignmentId: params.assignmentId });
    if (to === undefined) return { status: 200, body: { isWanted: false } };
    const sent = new URLSearchParams();
    for (const [name, value] of Object.entries(piece)) sent.set(name, String(value));
    const path = `/guest/${params.assignmentId}/terminals/${params.terminalName}/recording?${sent.toString()}`;
    await pass(await ways.socketOf(to), path, bytes);
    return { status: 200, body: { isWanted: true } };
  });
}

async function readPiece(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const size = Number(request.headers.get('content-length') ?? Number.NaN);
  if (!(size <= pieceMaxBytes)) throw new Fault('payload_too_large', 'A piece has 4 MiB at most, and says its length.');
  return new Uint8Array(await request.arrayBuffer());
}

/** Undefined: the desktop is no more. @throws Fault for a desktop that never was on the node that asks */
async function findTarget(
  { database }: Services,
  peer: NodePeer,
  of: { epoch: number; assignmentId: string },
): Promise<{ nodeId: string; guestAddress: string } | undefined> {
  const db = database.read;
  const from = await db.selectFrom('nodes').select(['id', 'joinedMs']).where('epoch', '=', of.epoch).executeTakeFirst();
  if (from === undefined) throw superseded(of.epoch);
  demandOwn(peer, from);
  const order = await db
    .selectFrom('assignments')
    .innerJoin('nodes', 'nodes.id', 'assignments.nodeId')
    .select(['assignments.nodeId', 'assignments.formerNodesJson', 'assignments.closedMs', 'nodes.guestAddress'])
    .where('assignments.id', '=', of.assignmentId)
    .executeTakeFirst();
  if (order === undefined) throw new Fault('not_found', 'There is no such assignment.');
  if (order.closedMs !== null) return undefined;
  if (order.nodeId === from.id) throw new Fault('wrong_state', 'The desktop is on this very node.');
  if (!formerNodesOf(order).includes(from.id)) throw new Fault('not_found', 'The desktop was never on this node.');
  return order;
}

/** @throws Fault as the other node says */
async function pass(unix: string, path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const answer = await fetch(`http://node${path}`, {
    unix,
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
    signal: AbortSignal.timeout(answerTimeoutMs),
    redirect: 'manual',
  } as RequestInit).catch((error: unknown) => {
    throw new Fault('node_unreachable', 'The node of the desktop does not answer.', { cause: error });
  });
  if (answer.ok) return;
  const { code, detail } = problemIn(await boundedText(answer, problemMaxBytes));
  throw new Fault(code, detail);
}

function problemIn(text: string | undefined): { code: string; detail: string } {
  try {
    const { code, detail } = JSON.parse(text ?? '') as Record<string, unknown>;
    if (typeof code === 'string' && code in problems && typeof detail === 'string') return { code, detail };
  } catch {
    // Said below.
  }
  return { code: 'node_unreachable', detail: 'The node of the desktop gave no answer that is understood.' };
}
