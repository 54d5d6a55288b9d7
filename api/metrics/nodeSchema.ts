import { t } from '../http/schema.ts';
import { AssignmentId } from '../nodes/schema.ts';

/** Wire shapes of metrics in the node contract. What a node does not know is absent, never 0. */

const happened = (maximum: number, description: string) => t.Optional(t.Integer({ minimum: 0, maximum, description }));
const level = (maximum: number, description: string) => t.Optional(t.Integer({ minimum: 0, maximum, description }));

const tib = 2 ** 40;
/** Longer ago than any node keeps, or its hypervisor. */
export const ageMaxMs = 4_500_000;

export const MetricsValues = t.Object({
  assignmentId: AssignmentId,
  cpuMs: happened(256 * 120_000, 'Processor time that the machine took.'),
  memoryUsedKiB: level(2 ** 32, 'See `memoryUsedMiB` of the public contract.'),
  memoryHostKiB: level(2 ** 32, 'See `memoryHostMiB` of the public contract.'),
  diskUsedKiB: level(2 ** 33, 'What its disk takes on the node.'),
  diskReadBytes: happened(16 * tib, 'By the guest.'),
  diskWrittenBytes: happened(16 * tib, 'By the guest.'),
  networkReceivedBytes: happened(16 * tib, 'By the guest.'),
  networkSentBytes: happened(16 * tib, 'By the guest.'),
});

export const MetricsSample = t.Object({
  ageMs: t.Integer({
    minimum: 0,
    maximum: ageMaxMs,
    description: 'How long before this report the sample ended; the clock of the node is not asked.',
  }),
  overMs: t.Integer({ minimum: 1, maximum: 120_000, description: 'How much time it is about.' }),
  values: t.Array(MetricsValues, { maxItems: 5000 }),
});

export const MetricsReport = t.Object({
  epoch: t.Integer({ minimum: 1 }),
  seq: t.Integer({
    minimum: 1,
    description: 'Counts up within one epoch. One that was taken in already is answered and not counted again.',
  }),
  samples: t.Array(MetricsSample, { maxItems: 500 }),
});

export const MetricsReceipt = t.Object({
  dropped: t.Integer({ description: 'Values that were not taken in: of no desktop of this node, or beyond belief.' }),
});
