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

export const healthOperations: readonly Operation[] = [getHealth, getReadiness, getMetrics];
