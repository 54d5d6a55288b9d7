import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';

export const Health = t.Object({ status: t.Word(['ok']) });

export const getHealth = operation({
  operationId: 'getHealth',
  method: 'GET',
  path: '/healthz',
  tag: 'health',
  summary: 'Whether the process runs',
  capability: 'none',
  responses: { 200: { about: 'It runs.', body: Health } },
});

export const getReadiness = operation({
  operationId: 'getReadiness',
  method: 'GET',
  path: '/readyz',
  tag: 'health',
  summary: 'Whether it can serve: the database answers and it is not stopping',
  capability: 'none',
  responses: { 200: { about: 'It can.', body: Health } },
});

export const getMetrics = operation({
  operationId: 'getMetrics',
  method: 'GET',
  path: '/metrics',
  tag: 'health',
  summary: 'Prometheus metrics',
  description: 'Not for the public: the gateway does not pass it on.',
  capability: 'none',
  responses: { 200: { about: 'Text exposition format.', body: 'text' } },
});

const count = (description: string) => t.Integer({ minimum: 0, description });

/** What somebody should look at. */
export const attentionWords = [
  'database_slow',
  'no_node',
  'node_silent',
  'node_overbooked',
  'strangers',
  'machines_failing',
  'metrics_behind',
  'versions_differ',
] as const;

export const ServiceHealth = t.Object({
  attention: t.Array(t.Word(attentionWords), { description: 'What somebody should look at; empty: all is well.' }),
  version: t.String({ description: 'Of the replica that answers.' }),
  startedAt: t.String({ format: 'date-time', description: 'When that one was started.' }),
  memoryMiB: count('Resident memory of that one.'),
  database: t.Object({
    kind: t.Word(['sqlite', 'postgres']),
    answeredInMs: t.Number({ minimum: 0, description: 'One small query, just now.' }),
  }),
  nodes: t.Object({
    up: count('Heard within 30 s.'),
    silent: count('Not heard for longer, and not fenced.'),
    cordoned: count('Take no new desktops.'),
    overBooked: count('Have less than was promised.'),
    strangers: count('VMs on them that nobody ordered.'),
    versions: t.Array(t.String(), { description: 'Of hostd, each once.' }),
  }),
  machines: t.Object(
    {
      running: count('As ordered.'),
      off: count('As ordered.'),
      underWay: count('Ordered to be otherwise than they were last seen: the queue of the nodes.'),
      failing: count('With an error.'),
    },
    { description: 'Of desktops of every workspace.' },
  ),
  pool: t.Object({ ready: count('Wait for who asks next.'), underWay: count('On their way to that.') }),
  metrics: t.Object({
    reportsWaiting: count('Came in and are not rolled up yet; that happens every ten minutes.'),
    lastReportAt: t.Nullable(t.String({ format: 'date-time' })),
  }),
  streamTickets: count('Given and not used yet.'),
});

export const getServiceHealth = operation({
  operationId: 'getServiceHealth',
  method: 'GET',
  path: '/v1/health',
  tag: 'health',
  bucket: 'control',
  summary: 'How the service is: database, nodes, machines, queues',
  capability: 'nodes:read',
  responses: { 200: { about: 'As it is now.', body: ServiceHealth } },
});

export const healthOperations: readonly Operation[] = [getHealth, getReadiness, getMetrics, getServiceHealth];
