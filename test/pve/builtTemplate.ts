import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const GiB = 2 ** 30;

/** What hostd/template leaves in a home, as far as an import looks at it: a qcow2 that is all head, and no kernel that runs. */
export function writeBuiltTemplate(home: string, one: { id: string; builtAtMs: number; diskBytes?: number }): string {
  const { id, builtAtMs, diskBytes = 2_000_000 } = one;
  const folder = join(home, 'templates', id);
  mkdirSync(folder, { recursive: true });
  const kernelArgs = 'root=/dev/vda rw quiet lebureau.network=fixed ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:none';
  const file = { id, name: 'Debian', builtAtMs, kernelArgs, diskVirtualGiB: 8 };
  writeFileSync(join(folder, 'template.json'), JSON.stringify(file));
  for (const name of ['vmlinuz', 'initrd']) writeFileSync(join(folder, name), randomBytes(300_000));
  const head = Buffer.alloc(72);
  head.write('QFI\xfb', 'latin1');
  head.writeUInt32BE(3, 4);
  head.writeBigUInt64BE(BigInt(8 * GiB), 24);
  const disk = openSync(join(folder, 'disk.qcow2'), 'w');
  writeSync(disk, head);
  writeSync(disk, randomBytes(100_000), 0, 100_000, 1_000_000);
  ftruncateSync(disk, diskBytes);
  closeSync(disk);
  return folder;
}
