import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Site } from '../hypervisor/proxmox/site.ts';
import { finishTask, fullCloneMaxMs } from '../hypervisor/proxmox/task.ts';

/** Every upload of this node's begins with it, so that what a killed import left behind is found. */
function prefixOf({ settings }: Site): string {
  return `lebureau-${settings.node}-`;
}

/**
 * Sends a file to the storage for imports, in the place of one of the same name. Proxmox VE compares the checksum before
 * the file is there.
 * @returns its volume.
 */
export async function uploadFile(site: Site, file: { path: string; name: string }): Promise<string> {
  const { node, importStorage } = site.settings;
  const filename = `${prefixOf(site)}${file.name}`;
  const { size: sizeBytes } = await stat(file.path);
  // In this order: Proxmox VE finds them in no other.
  const fields = [
    ['content', 'import'],
    ['checksum-algorithm', 'sha256'],
    ['checksum', await sha256Of(file.path)],
  ] as const;
  const path = `/nodes/${node}/storage/${importStorage}/upload`;
  const started = await site.client.upload(path, { fields, filename, file: { path: file.path, sizeBytes } });
  await finishTask(site, started, fullCloneMaxMs);
  return `${importStorage}:import/${filename}`;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) hash.update(piece);
  return hash.digest('hex');
}

/** Removes every upload of this node's, also those of an import that was killed. */
export async function removeUploads(site: Site): Promise<void> {
  const { node, importStorage } = site.settings;
  const { content } = site.client.api.nodes.$(node).storage.$(importStorage);
  const start = `${importStorage}:import/${prefixOf(site)}`;
  for (const { volid } of await content.$get({ content: 'import' })) {
    if (!volid.startsWith(start)) continue;
    const started = await content.$(volid).$delete();
    if (started) await finishTask(site, started);
  }
}
