import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import type { VmSpec } from '../driver.ts';
import { createOverlay } from './disk.ts';
import { asDiskFault, diskFreeMiB, uidOf, type Engine, type VmFolder } from './engine.ts';
import { readMarker, runNames, syncFolder, vmPaths, writeJson, type VmMarker } from './files.ts';
import type { Template, WarmState } from './templates.ts';

/** Marker first and durable, then the disk; the rename of `making` to `run` says that all of it is there. */
export async function cloneVm(engine: Engine, spec: VmSpec): Promise<void> {
  const paths = vmPaths(engine.home, spec.vmRef);
  const known = await readMarker(paths.marker);
  if (known === 'damaged') throw new Fault('needs_operator', `the marker of VM ${spec.vmRef} is damaged`);
  if (known && known.spec.owner !== spec.owner)
    throw new Fault('not_ours', `VM ${spec.vmRef} belongs to another owner`);
  if (known && existsSync(paths.run)) return;
  const free = await diskFreeMiB(engine);
  if (free < engine.diskReserveMiB) {
    throw new Fault(
      'disk_full',
      `this node has ${free} MiB of disk left and keeps ${engine.diskReserveMiB} MiB in reserve`,
    );
  }
  const template = await engine.shelf.template((known?.spec ?? spec).templateId);
  const warm = known ? await warmOf(engine, template, known) : await engine.shelf.warmState(template, spec);
  // Started here so that the first start after hostd's own does not wait for all of it.
  if (warm) void engine.shelf.memory(warm).catch(() => {});
  const vm = { paths, marker: known ?? (await makeMarker(engine, spec, warm)) };
  try {
    await makeRun(engine, vm, { template, warm });
  } catch (error) {
    await removeVm(engine, vm);
    throw asDiskFault(error);
  }
}

async function warmOf(engine: Engine, template: Template, marker: VmMarker): Promise<WarmState | undefined> {
  return marker.warmKey === undefined ? undefined : engine.shelf.warmStateByKey(template, marker.warmKey);
}

/** Made aside and renamed, so that no folder of a VM is ever without its marker. */
async function makeMarker(engine: Engine, spec: VmSpec, warm: WarmState | undefined): Promise<VmMarker> {
  const paths = vmPaths(engine.home, spec.vmRef);
  const aside = join(dirname(paths.folder), `.new-${spec.vmRef}`);
  const slot = engine.network.take();
  const marker: VmMarker = { version: 1, spec, slot, warmKey: warm?.key };
  try {
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { mode: 0o700 });
    await writeJson(join(aside, 'vm.json'), marker, { durable: true });
    await rename(aside, paths.folder);
    await syncFolder(dirname(paths.folder));
    return marker;
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    await engine.network.release(slot);
    throw asDiskFault(error);
  }
}

async function makeRun(engine: Engine, vm: VmFolder, from: { template: Template; warm?: WarmState }): Promise<void> {
  const { paths, marker } = vm;
  await rm(paths.making, { recursive: true, force: true });
  mkdirSync(paths.making, { mode: 0o700 });
  const uid = uidOf(engine, marker.slot);
  createOverlay({
    path: join(paths.making, runNames.disk),
    backing: from.warm?.disk ?? from.template.disk,
    virtualBytes: Math.max(marker.spec.diskGiB * 2 ** 30, from.template.virtualBytes),
    uid,
  });
  if (uid !== undefined) chownSync(paths.making, uid, uid);
  chmodSync(paths.making, 0o700);
  await syncFolder(paths.making);
  await rename(paths.making, paths.run);
  await syncFolder(paths.folder);
}

/** Removes everything of a VM that does not run; the marker goes last, so a crash in between is finished later. */
export async function removeVm(engine: Engine, vm: VmFolder): Promise<void> {
  const { paths, marker } = vm;
  for (const path of [paths.run, paths.making, paths.boot, `${paths.boot}.new`, paths.log]) {
    await rm(path, { recursive: true, force: true });
  }
  await engine.network.release(marker.slot);
  await rm(paths.folder, { recursive: true, force: true });
  await syncFolder(dirname(paths.folder));
}
