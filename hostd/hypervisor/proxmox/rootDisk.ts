const units: Readonly<Record<string, number>> = { '': 2 ** -20, K: 2 ** -10, M: 1, G: 1024, T: 1024 ** 2 };

export interface VmDisk {
  /** Such as `virtio0`. */
  slot: string;
  storage: string;
  sizeMiB: number;
}

/** Marks the disk that only holds the boot loader and the kernel; a clone takes it over. */
export const bootDiskSerial = 'lebureau-boot';

/**
 * The disk with the root file system: the first of `boot`, else the first there is; neither drives with media nor our own
 * boot disk count.
 */
export function rootDisk(config: Readonly<Record<string, unknown>>): VmDisk | undefined {
  const order = /order=([^,]*)/.exec(String(config.boot ?? ''))?.[1]?.split(';') ?? [];
  const slots = [...order, ...Object.keys(config).toSorted()];
  for (const slot of slots) {
    const value = /^(virtio|scsi|sata|ide)\d+$/.test(slot) ? config[slot] : undefined;
    if (typeof value !== 'string' || value.includes('media=cdrom')) continue;
    if (value.includes(`serial=${bootDiskSerial}`)) continue;
    const size = /[,^]size=(\d+(?:\.\d+)?)([KMGT]?)/.exec(`,${value}`);
    return {
      slot,
      storage: value.split(':')[0]!,
      sizeMiB: size ? Number(size[1]) * (units[size[2]!] ?? 1) : 0,
    };
  }
  return undefined;
}
