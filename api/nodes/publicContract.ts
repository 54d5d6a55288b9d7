import { idPattern } from '@lebureau/kit/id';
import { DesktopId, Labels } from '../desktops/schema.ts';
import { listOf, pageQuery } from '../http/page.ts';
import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';
import { authorityOperations } from './authorityContract.ts';
import { createJoinToken } from './joinContract.ts';

/** What users see of the nodes. */

export const Node = t.Object({
  id: t.String({ pattern: idPattern('nod') }),
  name: t.String(),
  status: t.Word(['up', 'silent', 'fenced', 'decommissioned'], {
    description: '`silent`: not heard for 30 s. `fenced`: silent, and a person said that it is off.',
  }),
  cordoned: t.Boolean({ description: 'Gets no new desktops.' }),
  drain: t.Nullable(
    t.Object({
      stopsAt: t.String({ format: 'date-time', description: 'When what runs there and cannot be moved is stopped.' }),
      drainedAt: t.Nullable(t.String({ format: 'date-time' }), { description: 'When nothing ran there any more.' }),
      mode: t.Word(['stop', 'move']),
      unmoved: t.Word(['stop', 'leave']),
      move: t.Word(['supported', 'unsupported'], {
        description: 'Whether its hypervisor can move desktops to another node of its cluster.',
      }),
      desktops: t.Array(
        t.Object({
          id: DesktopId,
          state: t.Word(['waiting', 'moving', 'staying'], {
            description:
              '`staying`: it could not be moved, and is stopped after the grace unless `unmoved` is `leave`.',
          }),
          toNodeId: t.Nullable(t.String()),
          reason: t.Nullable(t.String({ description: 'Why it could not be moved, or not yet.' })),
        }),
        { description: 'Those that are still there, with mode `move`. What was moved has another `nodeId`.' },
      ),
    }),
    { description: 'Set while the node is drained.' },
  ),
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
    diskMiB: t.Integer({
      description: 'What it has for desktops in all, as it is now: what is free and what they hold already.',
    }),
    diskFreeMiB: t.Integer(),
  }),
  reserved: t.Object({ vcpus: t.Integer(), memoryMiB: t.Integer(), diskGiB: t.Integer() }),
  overBooked: t.Object(
    { vcpus: t.Integer(), memoryMiB: t.Integer(), diskGiB: t.Integer() },
    {
      description:
        'How much more is reserved than may be promised of it, overcommit included: it has become smaller since. 0: nothing. Such a node gets no new desktops.',
    },
  ),
  templateIds: t.Array(t.String()),
  strangers: t.Integer({ description: 'VMs on it that nobody ordered; quarantined.' }),
  lastHeardAt: t.Nullable(t.String({ format: 'date-time' })),
});
export const NodeList = listOf(Node, 'By name.');

const base = { tag: 'nodes', bucket: 'control', capability: 'nodes:read' } as const;
const params = t.Object({ nodeId: t.String({ pattern: idPattern('nod') }) });

export const listNodes = operation({
  ...base,
  operationId: 'listNodes',
  method: 'GET',
  path: '/v1/nodes',
  summary: 'List nodes',
  query: t.Object(pageQuery),
  responses: { 200: { about: 'One page.', body: NodeList } },
});

export const getNode = operation({
  ...base,
  operationId: 'getNode',
  method: 'GET',
  path: '/v1/nodes/:nodeId',
  summary: 'Get a node',
  params,
  responses: { 200: { about: 'The node.', body: Node } },
  problems: ['not_found'],
});

const writing = {
  ...base,
  capability: 'nodes:write',
  params,
  responses: { 200: { about: 'The node as it is now.', body: Node } },
  problems: ['not_found', 'wrong_state'],
} as const;

export const UpdateNode = t.Object(
  { labels: Labels },
  { additionalProperties: false, description: '`labels` replaces all of them.' },
);
export const updateNode = operation({
  ...writing,
  operationId: 'updateNode',
  method: 'PATCH',
  path: '/v1/nodes/:nodeId',
  summary: 'Change the labels of a node',
  body: UpdateNode,
});

export const cordonNode = operation({
  ...writing,
  operationId: 'cordonNode',
  method: 'POST',
  path: '/v1/nodes/:nodeId/cordon',
  summary: 'Give a node no new desktops',
});

export const uncordonNode = operation({
  ...writing,
  operationId: 'uncordonNode',
  method: 'POST',
  path: '/v1/nodes/:nodeId/uncordon',
  summary: 'Give a node new desktops again',
  description: 'Also ends a drain, and what a fence left on a node that came back.',
});

export const DrainNode = t.Object(
  {
    graceSeconds: t.Optional(
      t.Integer({ minimum: 0, maximum: 86_400, description: 'How long what runs there may go on. Default 60.' }),
    ),
    mode: t.Optional(
      t.Word(['stop', 'move'], {
        description:
          '`move`: desktops go to other nodes of the same hypervisor cluster first, those that run while they run. Default `stop`.',
      }),
    ),
    unmoved: t.Optional(
      t.Word(['stop', 'leave'], {
        description: 'What happens after the grace to those that could not be moved. Default `stop`.',
      }),
    ),
  },
  { additionalProperties: false },
);
export const drainNode = operation({
  ...writing,
  operationId: 'drainNode',
  method: 'POST',
  path: '/v1/nodes/:nodeId/drain',
  summary: 'Empty a node of running desktops',
  description:
    'Cordons it. With mode `move` its desktops go to other nodes. After the grace what still runs there is stopped, disks stay, and nothing starts there until it is uncordoned. `node.drained` says when nothing runs any more.',
  body: DrainNode,
  bodyOptional: true,
});

export const fenceNode = operation({
  ...writing,
  operationId: 'fenceNode',
  method: 'POST',
  path: '/v1/nodes/:nodeId/fence',
  summary: 'Say that a silent node is off',
  description:
    'Only for a node that is silent, after you have cut its power or know that it is off. Its desktops become `error` with `node_fenced`: deleting one is final at once, without hearing the node. Nothing is cloned in their place; their disks are on the node. When it comes back they go on, and it stays cordoned.',
});

export const DecommissionNode = t.Object(
  {
    force: t.Optional(
      t.Boolean({ description: 'Also while there are desktops: they become `error` with `vm_missing`, for good.' }),
    ),
  },
  { additionalProperties: false },
);
export const decommissionNode = operation({
  ...writing,
  operationId: 'decommissionNode',
  method: 'POST',
  path: '/v1/nodes/:nodeId/decommission',
  summary: 'Take a node out of service for good',
  description: 'Its certificates end and its name is free again. Without `force` only an empty node.',
  body: DecommissionNode,
  bodyOptional: true,
});

export const nodeOperations: readonly Operation[] = [
  listNodes,
  getNode,
  createJoinToken,
  ...authorityOperations,
  updateNode,
  cordonNode,
  uncordonNode,
  drainNode,
  fenceNode,
  decommissionNode,
];
