import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { runCommand } from './command.ts';

const formats = [
  { magic: 'fd377a585a00', program: 'xz', argv: ['-dc', '--single-stream'] },
  { magic: '28b52ffd', program: 'zstd', argv: ['-dc'] },
  { magic: '1f8b08', program: 'gzip', argv: ['-dc'] },
] as const;

/** The one kernel release of a root file system. @throws Fault `needs_operator` when there is none or a choice. */
export async function kernelRelease(tree: string): Promise<string> {
  const names = (await readdir(join(tree, 'boot'))).filter((name) => name.startsWith('vmlinuz-'));
  if (names.length !== 1)
    throw new Fault('needs_operator', `the root file system has ${names.length} kernels instead of one`);
  return names[0]!.slice('vmlinuz-'.length);
}

/** Writes the ELF image (with its PVH entry) that is packed in a bzImage; QEMU starts it without any firmware. */
export async function unpackKernel(bzImage: string, target: string, signal: AbortSignal): Promise<void> {
  const packed = `${target}.packed`;
  const payload = payloadOf(await readFile(bzImage));
  const format = formats.find((each) => payload.subarray(0, each.magic.length / 2).toString('hex') === each.magic);
  if (!format) throw new Fault('needs_operator', `${bzImage} is packed in an unknown way`);
  await writeFile(packed, payload);
  const script = 'out=$1 in=$2; shift 2; "$@" <"$in" >"$out" && rm "$in"';
  await runCommand(['sh', '-c', script, 'sh', target, packed, format.program, ...format.argv], {
    signal,
    timeoutMs: 120_000,
  });
}

/** Offsets of the boot protocol (Documentation/arch/x86/boot.rst), version 2.08 and later. */
function payloadOf(image: Buffer): Buffer {
  if (image.length < 0x250 || image.toString('latin1', 0x202, 0x206) !== 'HdrS') {
    throw new Fault('needs_operator', 'the kernel is no bzImage');
  }
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const length = image.readUInt32LE(0x24c);
  // gzip and zstd mind nothing behind their end, but the packer appends the unpacked size, which zstd would refuse.
  return image.subarray(start, start + length - 4);
}
