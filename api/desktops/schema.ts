import { idPattern } from '@lebureau/kit/id';
import { listOf, pageQuery } from '../http/page.ts';
import { t } from '../http/schema.ts';
import { ControlHolder } from '../guest/controlSchema.ts';
import { Hardware } from '../nodes/schema.ts';
import { sizeNames } from './sizes.ts';

export const DesktopId = t.String({ pattern: idPattern('dsk') });
export const desktopParams = { desktopId: DesktopId };
export const DesktopParams = t.Object(desktopParams);

export const statuses = [
  'pending',
  'booting',
  'running',
  'stopping',
  'stopped',
  'destroying',
  'destroyed',
  'error',
  'unknown',
] as const;
export const DesktopStatus = t.Word(statuses, {
  description: '`unknown`: the node has not been heard for 30 s. `error`: see `error`.',
});
export const actions = ['start', 'stop', 'restart', 'delete'] as const;
export const DesktopAction = t.Word(actions);
export const SizeName = t.Word(sizeNames, {
  description: 'nano: 1 vCPU, 1 GiB, 8 GiB disk; free: 2, 4, 20; pro: 4, 8, 40; max: 4, 16, 80.',
});

const labelName = '^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$';
export const Labels = t.Record(
  t.String({ pattern: labelName }),
  t.String({ maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
  { maxProperties: 32 },
);
export const DesktopName = t.String({ minLength: 1, maxLength: 100, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });

const NodeSelector = t.Record(t.String({ pattern: labelName }), t.String({ maxLength: 255 }), {
  maxProperties: 8,
  description: 'Labels that its node must have, whenever it is placed.',
});

export const DesktopError = t.Object({ code: t.String(), message: t.String() });

export const Desktop = t.Object({
  id: DesktopId,
  name: t.String(),
  status: DesktopStatus,
  ready: t.Boolean({
    description: 'Since this boot a frame was taken and a command answered: screen, shell and files can be used.',
  }),
  agentReady: t.Boolean({
    description: 'The agent on the desktop answered; without an agent in the template the same as `ready`.',
  }),
  allowedActions: t.Array(DesktopAction, {
    description: 'What is possible in this status. Read this instead of comparing statuses.',
  }),
  tier: t.Nullable(SizeName, { description: 'Null when the hardware was given by figures.' }),
  size: t.Nullable(SizeName, { description: 'The same as `tier`.' }),
  hardware: Hardware,
  template: t.Object({ id: t.String(), name: t.String() }),
  labels: Labels,
  nodeSelector: NodeSelector,
  network: t.Word(['internet', 'none']),
  timeZone: t.String(),
  ipAddress: t.Nullable(t.String({ description: 'Inside the desktop’s own network.' })),
  nodeId: t.Nullable(t.String()),
  startMode: t.Nullable(t.Word(['warm', 'cold']), {
    description: 'How the last boot began: from the memory of the template, or from power-on.',
  }),
  ephemeral: t.Boolean({ description: 'Deleted when it was not used for `ttlSeconds`.' }),
  ttlSeconds: t.Nullable(t.Integer()),
  expiresAt: t.Nullable(t.String({ format: 'date-time' })),
  keepAlive: t.Boolean({ description: 'True unless ephemeral: nothing stops it but you.' }),
  control: t.Nullable(ControlHolder, { description: 'Who holds control; null: nobody, and every agent may write.' }),
  error: t.Nullable(DesktopError, { description: 'Set with `error`; also while a fault is retried.' }),
  createdAt: t.String({ format: 'date-time' }),
  timings: t.Object({
    createdAt: t.String({ format: 'date-time' }),
    startedAt: t.String({ format: 'date-time', description: 'When the current boot was asked for.' }),
    runningAt: t.Nullable(t.String({ format: 'date-time' })),
    readyAt: t.Nullable(t.String({ format: 'date-time' })),
    destroyedAt: t.Nullable(t.String({ format: 'date-time' })),
  }),
});

export const CreateDesktop = t.Object(
  {
    name: t.Optional(DesktopName),
    size: t.Optional(SizeName),
    tier: t.Optional(SizeName),
    hardware: t.Optional(Hardware),
    template: t.Optional(t.String({ minLength: 1, maxLength: 100, description: 'Id or name. Default: the newest.' })),
    labels: t.Optional(Labels),
    network: t.Optional(t.Word(['internet', 'none'], { description: 'Default internet.' })),
    nodeSelector: t.Optional(NodeSelector),
    spreadBy: t.Optional(
      t.String({
        pattern: labelName,
        description: 'Name of one of its `labels`: nodes that hold few desktops with the same value come first.',
      }),
    ),
    ephemeral: t.Optional(t.Boolean({ description: 'Default false.' })),
    ttlSeconds: t.Optional(
      t.Integer({
        minimum: 60,
        maximum: 2_592_000,
        description: 'For ephemeral ones; every use begins it anew. Default 3600.',
      }),
    ),
    timeZone: t.Optional(t.String({ minLength: 1, maxLength: 64, description: 'IANA name. Default Etc/UTC.' })),
  },
  {
    additionalProperties: false,
    description: 'At most one of `size`, `tier` (the same) and `hardware`. Default: nano.',
  },
);

export const UpdateDesktop = t.Object(
  { name: t.Optional(DesktopName), labels: t.Optional(Labels) },
  { additionalProperties: false, minProperties: 1, description: '`labels` replaces all of them.' },
);

export const ListDesktopsQuery = t.Object({
  ...pageQuery,
  status: t.Optional(
    t.String({
      pattern: `^(${statuses.join('|')})(,(${statuses.join('|')}))*$`,
      description: 'One or more, by comma. Destroyed ones are listed only when asked for.',
    }),
  ),
  name: t.Optional(t.String({ minLength: 1, maxLength: 100, description: 'Exactly this name.' })),
  label: t.Optional(
    t.String({ minLength: 1, maxLength: 1000, description: '`name` or `name=value`; several by comma, all must fit.' }),
  ),
});

export const waitTargets = ['running', 'ready', 'agentReady', 'stopped', 'destroyed'] as const;
export const GetDesktopQuery = t.Object({
  waitFor: t.Optional(
    t.Word(waitTargets, {
      description: 'Answer when it is so, when it failed, or after `timeoutSeconds`; look at `status` in the answer.',
    }),
  ),
  timeoutSeconds: t.Optional(t.Integer({ minimum: 0, maximum: 45, description: 'Default 30.' })),
});

export const DesktopList = listOf(Desktop, 'Newest first.');
