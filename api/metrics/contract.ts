import { DesktopParams } from '../desktops/schema.ts';
import { type Operation, operation } from '../http/operation.ts';
import { MetricsReceipt, MetricsReport } from './nodeSchema.ts';
import { DesktopMetrics, MetricsQuery } from './schema.ts';

export const getDesktopMetrics = operation({
  operationId: 'getDesktopMetrics',
  method: 'GET',
  path: '/v1/desktops/:desktopId/metrics',
  tag: 'desktops',
  bucket: 'control',
  summary: 'What a desktop used: processor, memory, disk, network',
  description:
    'Measured every ten seconds while it runs. Kept in steps of 10 s for an hour, of 120 s for a day, of 600 s for 31 days; a day longer than the desktop at most.',
  capability: 'metrics:read',
  params: DesktopParams,
  query: MetricsQuery,
  responses: { 200: { about: 'One point a step.', body: DesktopMetrics } },
  problems: ['not_found'],
});

export const metricsOperations: readonly Operation[] = [getDesktopMetrics];

export const reportMetrics = operation({
  operationId: 'reportMetrics',
  method: 'POST',
  path: '/node/v1/metrics',
  tag: 'sync',
  summary: 'Report what the desktops of this node used',
  description:
    'Every ten seconds, where the welcome asks for it. Accepted of the node that has the assignment only; values beyond its hardware are left out.',
  capability: 'node',
  body: MetricsReport,
  bodyMaxBytes: 4_194_304,
  responses: { 200: { about: 'Taken in.', body: MetricsReceipt } },
  problems: ['epoch_superseded', 'node_refused', 'rate_limited'],
});
