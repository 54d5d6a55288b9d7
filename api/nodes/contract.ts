import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { joinOperations } from './joinContract.ts';
import { AssignmentList, NodeHello, NodeWelcome, ObservationReceipt, ObservationReport } from './schema.ts';

/** What hostd asks of the API. Served on the node listener only. */

const base = { tag: 'sync', capability: 'node' } as const;

export const helloOperation = operation({
  ...base,
  operationId: 'hello',
  method: 'POST',
  path: '/node/v1/hello',
  summary: 'Say what this node is and start or renew an epoch',
  description:
    'Sent at start without `epoch`, which starts a new one and supersedes the former, and every ten seconds with it.',
  body: NodeHello,
  bodyMaxBytes: 262_144,
  responses: { 200: { about: 'The node is known.', body: NodeWelcome } },
  problems: ['epoch_superseded', 'node_refused', 'unsupported_version'],
});

export const listAssignmentsOperation = operation({
  ...base,
  operationId: 'listAssignments',
  method: 'GET',
  path: '/node/v1/assignments',
  summary: 'Read every order for this node, or wait until they change',
  description:
    'Answers at once when `after` is absent or differs from the current revision, else when something changed or after `waitSeconds`. It is always the full list.',
  query: t.Object({
    epoch: t.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    after: t.Optional(t.String({ maxLength: 64, description: 'The revision this node has.' })),
    waitSeconds: t.Optional(t.Integer({ minimum: 0, maximum: 45, description: 'Default 0.' })),
  }),
  responses: { 200: { about: 'The orders.', body: AssignmentList } },
  problems: ['epoch_superseded', 'node_refused'],
});

export const reportObservationsOperation = operation({
  ...base,
  operationId: 'reportObservations',
  method: 'POST',
  path: '/node/v1/observations',
  summary: 'Report what was seen',
  description:
    'Accepted by compare-and-set on epoch and seq, and for each assignment on its generation. A report that was accepted already is answered as if it were the first time.',
  body: ObservationReport,
  bodyMaxBytes: 4_194_304,
  responses: { 200: { about: 'What was not taken in, and why.', body: ObservationReceipt } },
  problems: ['epoch_superseded', 'node_refused'],
});

export const syncOperations: readonly Operation[] = [
  helloOperation,
  listAssignmentsOperation,
  reportObservationsOperation,
  ...joinOperations,
];
