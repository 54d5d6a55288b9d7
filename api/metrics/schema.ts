import { t } from '../http/schema.ts';
import { finest } from './tiers.ts';

export const pointsMax = 1000;
const time = (description: string) => t.String({ format: 'date-time', maxLength: 40, description });

export const MetricsQuery = t.Object({
  from: t.Optional(time('Default: an hour before `to`.')),
  to: t.Optional(time('Default: now.')),
  stepSeconds: t.Optional(
    t.Integer({
      minimum: finest.stepSeconds,
      maximum: 86_400,
      multipleOf: finest.stepSeconds,
      description: `Length of a step. Default: what makes at most 360 points. At most ${pointsMax} points are answered. Of what is older than an hour a step has at least 120 s, older than a day 600 s.`,
    }),
  ),
});

const perSecond = (description: string) => t.Nullable(t.Number({ minimum: 0, description }));

export const MetricsPoint = t.Object({
  at: t.String({ format: 'date-time', description: 'When the step begins.' }),
  measuredSeconds: t.Number({
    minimum: 0,
    description: 'How much of the step was measured; 0: nothing is known of it.',
  }),
  cpuCores: t.Nullable(t.Number({ minimum: 0 }), {
    description: 'Processors of the node kept busy, on average; emulation of its devices counts.',
  }),
  cpuCoresMax: t.Nullable(t.Number({ minimum: 0 }), { description: 'The highest of the ten-second averages.' }),
  memoryUsedMiB: t.Nullable(t.Number({ minimum: 0 }), {
    description:
      'QEMU: what the guest touched since it was started and what its emulator takes (what the guest gives free stays counted). Proxmox VE: `mem`.',
  }),
  memoryUsedMiBMax: t.Nullable(t.Number({ minimum: 0 })),
  memoryHostMiB: t.Nullable(t.Number({ minimum: 0 }), {
    description:
      'What it takes of the memory of the node: without what it shares with its template. Proxmox VE: `memhost`, null before version 9.',
  }),
  diskUsedMiB: t.Nullable(t.Number({ minimum: 0 }), {
    description: 'What its disk takes on the node, without its template. Null on Proxmox VE.',
  }),
  diskReadBytesPerSecond: perSecond('By the guest.'),
  diskWriteBytesPerSecond: perSecond('By the guest.'),
  networkReceiveBytesPerSecond: perSecond('By the guest; what Le Bureau itself exchanges with it by SSH counts.'),
  networkSendBytesPerSecond: perSecond('By the guest; what Le Bureau itself exchanges with it by SSH counts.'),
});

export const DesktopMetrics = t.Object({
  from: time('Begin of the first step.'),
  to: time('End of the last step.'),
  stepSeconds: t.Integer({ description: 'As asked, or longer where nothing finer is kept.' }),
  points: t.Array(MetricsPoint, {
    maxItems: pointsMax,
    description:
      'One a step, oldest first. What is not known is null: the desktop was off, its node not heard, or the hypervisor does not tell.',
  }),
});
