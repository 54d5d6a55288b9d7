import { t } from '../http/schema.ts';
import { idPattern } from '@lebureau/kit/id';
import { ControlHolder } from '../guest/controlSchema.ts';

/** Wire shapes of the node contract (`openapi/node.json`): what hostd and the API say to each other about VMs. */

/** Far above what there is and far below what a column holds: a node that says nonsense is refused, not believed. */
const count = (options: { minimum?: number; description?: string } = {}) =>
  t.Integer({ minimum: 0, maximum: 2_147_483_647, ...options });
const sizeMiB = (options: { description?: string } = {}) => t.Integer({ minimum: 0, maximum: 2 ** 40, ...options });
const serial = (options: { minimum?: number; description?: string } = {}) =>
  t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...options });

const seconds = (about: string) => t.Integer({ minimum: 0, description: about });

export const AssignmentId = t.String({ pattern: idPattern('asg'), examples: ['asg_01k9x3v6m8e9t2q4r6s8v0w2y4'] });
export const VmRef = t.String({
  pattern: '^lb-[0-7][0-9a-hjkmnp-tv-z]{25}$',
  description: 'Name of the VM in the hypervisor: `lb-` and the body of the assignment id.',
});

export const Hardware = t.Object({
  vcpus: t.Integer({ minimum: 1, maximum: 64 }),
  memoryMiB: t.Integer({ minimum: 512, maximum: 262_144 }),
  diskGiB: t.Integer({ minimum: 8, maximum: 4096 }),
});

const MemberName = t.String({
  minLength: 1,
  maxLength: 63,
  description: 'Name of a node in its hypervisor’s cluster.',
});

/** One order: what the API wants of one VM. The list of them is the whole truth for a node; what is not in it is not wanted to run. */
export const Assignment = t.Object({
  assignmentId: AssignmentId,
  desktopId: t.Nullable(t.String({ description: 'Null for a machine that no desktop owns yet.' })),
  vmRef: VmRef,
  templateId: t.String({ pattern: idPattern('tpl') }),
  hardware: Hardware,
  network: t.Union([t.Literal('internet'), t.Literal('none')]),
  hostName: t.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' }),
  timeZone: t.String({ maxLength: 64 }),
  desired: t.Union([t.Literal('running'), t.Literal('stopped'), t.Literal('deleted')]),
  desiredBoot: t.Integer({
    minimum: 1,
    description:
      'Counter. A restart raises it: a VM whose last start carried a smaller number is stopped and started again.',
  }),
  generation: t.Integer({
    minimum: 1,
    description: 'Raised with every change of this order; an observation names the one it is about.',
  }),
  identityVersion: t.Integer({
    minimum: 0,
    description:
      'Raised when a machine that waited in the pool is given to a desktop: its guest is told anew who it is.',
  }),
  cloneSeen: t.Boolean({
    description:
      'True once a complete clone was reported. From then on its absence is `vm_missing` and nothing is ever cloned in its place.',
  }),
  gracefulStopSeconds: seconds('How long a stop waits for the guest before the power is cut.'),
  config: t.String({ maxLength: 65_536, description: 'JSON text for the init program of the guest.' }),
  move: t.Optional(
    t.Object(
      { to: MemberName },
      {
        description:
          'Move it to this member of the cluster, running or not, and leave it to the hostd there. Absent: it stays. Said only to nodes that named their cluster.',
      },
    ),
  ),
});

export const AssignmentList = t.Object({
  epoch: t.Integer({ minimum: 1 }),
  revision: t.String({ maxLength: 64, description: 'Opaque. Give it back as `after` to wait for a change.' }),
  assignments: t.Array(Assignment, { maxItems: 5000 }),
});

export const ObservedFault = t.Object({
  code: t.String({
    maxLength: 64,
    description:
      'vm_missing, not_ours, template_missing, disk_full, memory_full, move_refused, hypervisor_failed, guest_unreachable, guest_crashed, boot_timeout, needs_operator',
  }),
  message: t.String({ maxLength: 1000 }),
  class: t.Union([t.Literal('retry'), t.Literal('fail'), t.Literal('operator')]),
});

/** What hostd saw of one VM. */
export const Observation = t.Object({
  assignmentId: AssignmentId,
  generation: count({ minimum: 1 }),
  presence: t.Union([t.Literal('absent'), t.Literal('cloning'), t.Literal('present')]),
  power: t.Union([
    t.Literal('off'),
    t.Literal('booting'),
    t.Literal('running'),
    t.Literal('stopping'),
    t.Literal('paused'),
  ]),
  boot: count(),
  ready: t.Boolean({ description: 'A frame was taken and a command answered since this boot.' }),
  agentReady: t.Boolean(),
  startMode: t.Nullable(t.Union([t.Literal('warm'), t.Literal('cold')])),
  ipAddress: t.Nullable(t.String({ maxLength: 45 })),
  fault: t.Nullable(ObservedFault),
  moving: t.Optional(t.Boolean({ description: 'The hypervisor is moving it, so where it will be is not certain.' })),
  movedTo: t.Optional(MemberName),
  moveFault: t.Optional(ObservedFault),
  control: t.Optional(
    t.Nullable(ControlHolder, { description: 'Who holds control. Absent: a hostd that gives none.' }),
  ),
  atMs: serial({ description: 'Clock of the node, for people only.' }),
});

export const ObservationReport = t.Object({
  epoch: serial({ minimum: 1 }),
  seq: serial({
    minimum: 1,
    description: 'Counts up within one epoch; an older one than the last accepted is refused.',
  }),
  observations: t.Array(Observation, { maxItems: 1000 }),
  strangers: t.Array(t.Object({ vmRef: t.String({ maxLength: 64 }), owner: t.Nullable(t.String({ maxLength: 64 })) }), {
    maxItems: 1000,
    description: 'VMs in our range for which there is no assignment: quarantined, reclaimed later.',
  }),
});

export const ObservationReceipt = t.Object({
  refused: t.Array(
    t.Object({
      assignmentId: AssignmentId,
      reason: t.String({
        description: 'unknown_assignment, other_node, older_generation, unknown_generation, older_seq',
      }),
    }),
  ),
});

export const NodeTemplate = t.Object({
  id: t.String({ pattern: idPattern('tpl') }),
  name: t.String({ maxLength: 100 }),
  warmSizes: t.Array(t.String({ maxLength: 30, description: '`${vcpus}x${memoryMiB}`' }), { maxItems: 50 }),
  diskMiB: sizeMiB(),
  builtAtMs: serial(),
});

export const NodeName = t.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' });

/** Sent at start and every ten seconds; starts a new epoch when `epoch` is absent. */
export const NodeHello = t.Object({
  nodeName: NodeName,
  epoch: t.Optional(serial({ minimum: 1 })),
  version: t.String({ maxLength: 50 }),
  protocols: t.Optional(
    t.Array(t.Integer({ minimum: 1 }), {
      maxItems: 20,
      description: 'Versions of this contract that hostd speaks. Absent: 1. None in common: 409 `unsupported_version`.',
    }),
  ),
  guestAddress: t.String({
    maxLength: 200,
    description:
      'Where hostd serves the guest contract: `unix:/path` on this machine, `https://…`, or `tunnel:` where hostd itself keeps connections open to the API.',
  }),
  driver: t.Union([t.Literal('qemu'), t.Literal('proxmox'), t.Literal('fake')]),
  accelerator: t.String({ maxLength: 30 }),
  acceleratorReason: t.String({ maxLength: 500 }),
  hypervisorVersion: t.String({ maxLength: 100 }),
  vcpus: count(),
  memoryMiB: sizeMiB(),
  diskFreeMiB: sizeMiB(),
  diskHeldMiB: t.Optional(
    sizeMiB({
      description:
        'What the disks of ordered machines hold by now. With `diskFreeMiB` it is all that there is for them.',
    }),
  ),
  network: t.Union([t.Literal('isolated'), t.Literal('none')]),
  networkReason: t.String({ maxLength: 500 }),
  templates: t.Array(NodeTemplate, { maxItems: 100 }),
  recordings: t.Optional(count({ description: 'Recordings of terminals that are kept on this node.' })),
  cluster: t.Optional(
    t.Object(
      { id: t.String({ minLength: 1, maxLength: 200 }), member: MemberName },
      { description: 'Nodes that name the same one can move desktops to each other. Absent: this one cannot.' },
    ),
  ),
  authority: t.Optional(
    t.Object(
      {
        generation: t.Integer({ minimum: 0, description: 'As the API said; 0: it has not said it yet.' }),
        fingerprints: t.Array(t.String({ pattern: '^[0-9a-f]{64}$' }), { maxItems: 8 }),
      },
      {
        description:
          'By which certificates this node knows the API, each as its SHA-256. Absent: it cannot learn others.',
      },
    ),
  ),
});

export const ApiAddresses = t.Array(t.String({ maxLength: 200 }), {
  maxItems: 64,
  description:
    'Where nodes reach the API: each replica, this one included. Whoever does not answer is left for another.',
});

export const NodeWelcome = t.Object({
  nodeId: t.String({ pattern: idPattern('nod') }),
  epoch: t.Integer({
    minimum: 1,
    description: 'Names this run of hostd. Calls with an older one get 409 `epoch_superseded`: stop at once.',
  }),
  reclaimAfterSeconds: seconds('How long a stranger is quarantined before it may be reclaimed.'),
  protocol: t.Optional(t.Integer({ minimum: 1, description: 'The version that is spoken from now on. Absent: 1.' })),
  apiAddresses: t.Optional(ApiAddresses),
  authority: t.Optional(
    t.Object(
      { generation: t.Integer({ minimum: 1 }), certificates: t.Array(t.String({ maxLength: 8192 }), { maxItems: 8 }) },
      {
        description:
          'Said when the node trusts others: from now on it knows the API by exactly these certificates (PEM), unless it was told of a greater generation.',
      },
    ),
  ),
  renewCertificate: t.Optional(
    t.Boolean({ description: 'The certificate of this node is of an authority that will be dropped: renew it now.' }),
  ),
  metricsEverySeconds: t.Optional(
    t.Integer({ minimum: 1, maximum: 60, description: 'How often metrics are wanted. Absent: not at all.' }),
  ),
  metricsSilentSeconds: t.Optional(
    t.Integer({ minimum: 0, description: 'How long ago metrics of this node came in. Absent: never, or not wanted.' }),
  ),
});
