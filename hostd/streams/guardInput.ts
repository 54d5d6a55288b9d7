import type { components } from '@lebureau/openapi/node';
import type { GuestCall, GuestHandler, GuestHandlers, GuestOperationId } from '../guest/server/operation.ts';
import type { ControlLeases } from './controlLeases.ts';

type Action = components['schemas']['Action'];

/** Everything by which an agent writes on the screen. Commands and files are no writing: they take nobody's mouse away. */
const writing: readonly GuestOperationId[] = [
  'click',
  'drag',
  'scroll',
  'typeText',
  'pressKey',
  'setClipboard',
  'focusWindow',
];
const looking: ReadonlySet<Action['action']> = new Set(['screenshot', 'zoom', 'wait', 'waitUntil', 'cursorPosition']);

/**
 * The handlers, of which those that write ask first whether they may, and end when somebody else takes control in the
 * middle. Looking is always allowed, also as a batch of actions.
 */
export function guardInput(handlers: GuestHandlers, leases: ControlLeases): GuestHandlers {
  const guarded: GuestHandlers = { ...handlers };
  for (const operationId of writing) {
    const handler = handlers[operationId];
    if (handler) guarded[operationId] = (guest, call) => whileWriter(leases, call, (now) => handler(guest, now));
  }
  const { runActions } = handlers;
  if (runActions) guarded.runActions = guardedBatch(leases, runActions);
  return guarded;
}

function guardedBatch(leases: ControlLeases, handler: GuestHandler): GuestHandler {
  return async (guest, call) => {
    const batch = await call.json<{ actions?: Action[] }>();
    const known = { ...call, json: <Body>() => Promise.resolve(batch as Body) };
    if (batch.actions?.every(({ action }) => looking.has(action))) return handler(guest, known);
    return whileWriter(leases, known, (now) => handler(guest, now));
  };
}

async function whileWriter(
  leases: ControlLeases,
  call: GuestCall,
  work: (call: GuestCall) => Promise<Response>,
): Promise<Response> {
  const { assignmentId } = call;
  const leaseToken = call.headers.get('control-lease') ?? undefined;
  leases.demandWriter(assignmentId, leaseToken);
  const taken = new AbortController();
  const unwatch = leases.watch(assignmentId, () => {
    try {
      leases.demandWriter(assignmentId, leaseToken);
    } catch (fault) {
      taken.abort(fault);
    }
  });
  try {
    return await work({ ...call, signal: AbortSignal.any([call.signal, taken.signal]) });
  } finally {
    unwatch();
  }
}
