import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';

export const NodeAuthority = t.Object({
  generation: t.Integer({ minimum: 1 }),
  fingerprint: t.String({
    pattern: '^[0-9a-f]{64}$',
    description: 'SHA-256 of the certificate by which nodes know the API; join tokens carry it.',
  }),
  rotation: t.Nullable(
    t.Object({
      generation: t.Integer({ description: 'The one that takes its place.' }),
      startedAt: t.String({ format: 'date-time' }),
      deadlineAt: t.String({ format: 'date-time', description: 'When nodes that have not renewed are left behind.' }),
      step: t.Word(['spreading', 'renewing', 'switching'], {
        description:
          '`spreading`: replicas read it. `renewing`: nodes learn to trust it and get certificates of it. `switching`: replicas show certificates of it.',
      }),
      waitsFor: t.Object(
        {
          replicas: t.Integer(),
          joinTokens: t.Integer({ description: 'Unused and not expired; they name the old one.' }),
          nodes: t.Integer(),
          nodeIds: t.Array(t.String(), { maxItems: 100, description: 'The first hundred of these nodes.' }),
        },
        { description: 'What this step waits for.' },
      ),
    }),
    { description: 'Set while it is replaced.' },
  ),
});

export const RotateNodeAuthority = t.Object(
  {
    deadlineSeconds: t.Optional(
      t.Integer({
        minimum: 60,
        maximum: 2_592_000,
        description:
          'A node that has not renewed by then needs a join token with its `nodeId`. Default 604800, a week.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const getNodeAuthority = operation({
  operationId: 'getNodeAuthority',
  method: 'GET',
  path: '/v1/nodes/authority',
  tag: 'nodes',
  bucket: 'control',
  capability: 'nodes:read',
  summary: 'Read by which authority nodes and API know each other',
  responses: { 200: { about: 'The authority, and how far its replacement is.', body: NodeAuthority } },
  problems: ['wrong_state'],
});

export const rotateNodeAuthority = operation({
  operationId: 'rotateNodeAuthority',
  method: 'POST',
  path: '/v1/nodes/authority/rotate',
  tag: 'nodes',
  bucket: 'control',
  capability: 'nodes:write',
  summary: 'Replace the authorities of nodes and API',
  description:
    'Makes new ones beside the old. Nodes learn of them from the API and renew; when all did, or at the deadline, the old ones are dropped. `authority.rotated` says when.',
  body: RotateNodeAuthority,
  bodyOptional: true,
  responses: { 200: { about: 'It is under way.', body: NodeAuthority } },
  problems: ['wrong_state'],
});

export const authorityOperations: readonly Operation[] = [getNodeAuthority, rotateNodeAuthority];
