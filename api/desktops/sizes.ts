/** The named sizes: the documented tiers, and `nano` for small machines. */
export const sizes = {
  nano: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  free: { vcpus: 2, memoryMiB: 4096, diskGiB: 20 },
  pro: { vcpus: 4, memoryMiB: 8192, diskGiB: 40 },
  max: { vcpus: 4, memoryMiB: 16_384, diskGiB: 80 },
} as const;

export type SizeName = keyof typeof sizes;
export const sizeNames = Object.keys(sizes) as SizeName[];
