/** The named sizes of the API. */
export const sizes = [
  { name: 'nano', vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  { name: 'free', vcpus: 2, memoryMiB: 4096, diskGiB: 20 },
  { name: 'pro', vcpus: 4, memoryMiB: 8192, diskGiB: 40 },
  { name: 'max', vcpus: 4, memoryMiB: 16_384, diskGiB: 80 },
] as const;
