import { idPattern } from '@lebureau/kit/id';
import { Labels } from '../desktops/schema.ts';
import { listOf } from '../http/page.ts';
import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { createJoinToken } from './joinContract.ts';

/** What users see of the nodes. */

export const Node = t.Object({
  id: t.String({ pattern: idPattern('nod') }),
  name: t.String(),
  status: t.Word(['up', 'silent'], { description: '`silent`: not heard for 30 s.' }),
  cordoned: t.Boolean({ description: 'Gets no new desktops.' }),
  version: t.String(),
  driver: t.Nullable(t.Word(['qemu', 'proxmox', 'fake']), {
    description: 'Null until it was heard for the first time.',
  }),
  accelerator: t.String(),
  acceleratorReason: t.String(),
  hypervisorVersion: t.String(),
  network: t.Word(['isolated', 'none']),
  networkReason: t.String(),
  labels: Labels,
  capacity: t.Object({
    vcpus: t.Integer(),
    memoryMiB: t.Integer(),
    diskMiB: t.Integer({ description: 'What it has for desktops in all.' }),
    diskFreeMiB: t.Integer(),
  }),
  reserved: t.Object({ vcpus: t.Integer(), memoryMiB: t.Integer(), diskGiB: t.Integer() }),
  templateIds: t.Array(t.String()),
  strangers: t.Integer({ description: 'VMs on it that nobody ordered; quarantined.' }),
  lastHeardAt: t.Nullable(t.String({ format: 'date-time' })),
});
export const NodeList = listOf(Node, 'By name.');

const base = { tag: 'nodes', bucket: 'control', capability: 'nodes:read' } as const;

export const listNodes = operation({
  ...base,
  operationId: 'listNodes',
  method: 'GET',
  path: '/v1/nodes',
  summary: 'List nodes',
  responses: { 200: { about: 'All of them.', body: NodeList } },
});

export const getNode = operation({
  ...base,
  operationId: 'getNode',
  method: 'GET',
  path: '/v1/nodes/:nodeId',
  summary: 'Get a node',
  params: t.Object({ nodeId: t.String({ pattern: idPattern('nod') }) }),
  responses: { 200: { about: 'The node.', body: Node } },
  problems: ['not_found'],
});

export const nodeOperations: readonly Operation[] = [listNodes, getNode, createJoinToken];
