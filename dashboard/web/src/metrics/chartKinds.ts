import type { DesktopData } from '@lebureau/sdk/types';
import type { MessageName } from '../language.ts';
import type { MeasuredPoint } from './measured.ts';
import type { Unit } from './units.ts';

type Hardware = DesktopData['hardware'];

export interface ChartKind {
  id: string;
  name: MessageName;
  unit: Unit;
  /** Top of the axis, when what is measured has one. */
  most?: (hardware: Hardware) => number;
  lines: readonly { name: MessageName; of: (point: MeasuredPoint, hardware: Hardware) => number | null }[];
}

const shareOf = (cores: number | null, { vcpus }: Hardware) => (cores === null ? null : (cores / vcpus) * 100);

export const chartKinds: readonly ChartKind[] = [
  {
    id: 'cpu',
    name: 'metrics.cpu',
    unit: 'percent',
    most: () => 100,
    lines: [
      { name: 'metrics.mean', of: (point, hardware) => shareOf(point.cpuCores, hardware) },
      { name: 'metrics.peak', of: (point, hardware) => shareOf(point.cpuCoresMax, hardware) },
    ],
  },
  {
    id: 'memory',
    name: 'metrics.memory',
    unit: 'mebibytes',
    most: ({ memoryMiB }) => memoryMiB,
    lines: [{ name: 'metrics.used', of: (point) => point.memoryUsedMiB }],
  },
  {
    id: 'network',
    name: 'metrics.network',
    unit: 'bytesPerSecond',
    lines: [
      { name: 'metrics.received', of: (point) => point.networkReceiveBytesPerSecond },
      { name: 'metrics.sent', of: (point) => point.networkSendBytesPerSecond },
    ],
  },
  {
    id: 'disk',
    name: 'metrics.disk',
    unit: 'bytesPerSecond',
    lines: [
      { name: 'metrics.read', of: (point) => point.diskReadBytesPerSecond },
      { name: 'metrics.written', of: (point) => point.diskWriteBytesPerSecond },
    ],
  },
  {
    id: 'space',
    name: 'metrics.space',
    unit: 'mebibytes',
    most: ({ diskGiB }) => diskGiB * 1024,
    lines: [{ name: 'metrics.used', of: (point) => point.diskUsedMiB }],
  },
];
