import { badParameters, died } from '../api/refusal.ts';
import type { VmState } from '../world/state.ts';
import type { World } from '../world/world.ts';
import { driveSize, drives, parseDrive, sizeText } from './config.ts';
import {
  assertSpace,
  fileKey,
  freeDiskName,
  isFileStorage,
  NoSpace,
  parseVolume,
  storageOf,
  volumeName,
} from './volumes.ts';

export function importSource(raw: string): string | undefined {
  return parseDrive(raw)
    .options.find((one) => one.startsWith('import-from='))
    ?.slice('import-from='.length);
}

/** What is checked of the source of `import-from` before the config is read. */
export function checkImport(world: World, caller: string, [key, raw]: [string, string]): void {
  const source = importSource(raw);
  if (source === undefined) return;
  if (source.startsWith('/')) throw died('Only root can pass arbitrary filesystem paths.');
  const { storage, rest } = parseVolume(source);
  storageOf(world, storage);
  const kind = /^(import|iso|vztmpl|snippets|backup)\//.exec(rest)?.[1] ?? 'images';
  if (kind !== 'images' && kind !== 'import')
    throw badParameters({ [key]: `${source} has wrong type '${kind}' - needs to be 'images' or 'import'` });
  const owner = /(?:^|\/)(?:vm|base)-(\d+)-/.exec(rest)?.[1];
  if (kind === 'images' && owner !== undefined) return world.permissions.check(caller, `/vms/${owner}`, ['VM.Clone']);
  if (world.permissions.any(caller, `/storage/${storage}`, ['Datastore.Allocate'])) return;
  world.permissions.checkAny(caller, `/storage/${storage}`, ['Datastore.AllocateSpace', 'Datastore.Audit']);
}

/** A full copy of what was uploaded, or of another VM's disk. @returns the volume, then the option of its size. */
export function importDisk(
  world: World,
  vm: VmState,
  { storage, source, format }: { storage: string; source: string; format?: string },
): [volume: string, size: string] {
  const found = sourceOf(world, vm, source);
  if (found === undefined) throw died(`cannot import from '${source}' - could not get size of ${source}`);
  try {
    assertSpace(world, { storage, node: vm.node }, Math.floor(found.bytes / 4));
  } catch (error) {
    if (!(error instanceof NoSpace)) throw error;
    throw died(`cannot import from '${source}' - unable to create image: No space left on device`);
  }
  const kept = isFileStorage(storageOf(world, storage)) ? (format ?? found.format) : undefined;
  const name = volumeName(world, storage, { vmid: vm.vmid, name: freeDiskName(vm), format: kept });
  world.machines.importDisk(vm.vmid);
  return [name, `size=${sizeText(found.bytes)}`];
}

function sourceOf(world: World, vm: VmState, source: string): { bytes: number; format: string } | undefined {
  const file = world.state.files[fileKey(world, source, vm.node)];
  if (file !== undefined) return { bytes: file.virtualBytes, format: file.format };
  for (const other of Object.values(world.state.vms)) {
    for (const [, raw] of drives(other.config)) {
      if (parseDrive(raw).volume === source) return { bytes: driveSize(raw), format: 'qcow2' };
    }
  }
  return undefined;
}
