import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceDurably } from '../replaceDurably.ts';
import type { Site } from '../hypervisor/proxmox/site.ts';
import { finishTask, fullCloneMaxMs } from '../hypervisor/proxmox/task.ts';

/** Who uploads: a node, from this home. */
interface Uploader {
  site: Site;
  home: string;
}

/**
 * Every upload of a node from this home begins with it, so that what a killed import left behind is found. Nobody else's
 * does: no name of a node holds an underscore, and a node of the same name in another cluster, on the same storage, is
 * served from another home.
 */
function prefixOf({ site, home }: Uploader): string {
  const path = join(home, 'upload-mark');
  if (!existsSync(path)) replaceDurably(path, randomBytes(6).toString('hex'));
  return `lebureau-${site.settings.node}_${readFileSync(path, 'utf8').trim()}_`;
}

/**
 * Sends a file to the storage for imports, in the place of one of the same name. Proxmox VE compares the checksum before
 * the file is there.
 * @returns its volume.
 */
export async function uploadFile(from: Uploader, file: { path: string; name: string }): Promise<string> {
  const { site } = from;
  const { node, importStorage } = site.settings;
  const filename = `${prefixOf(from)}${file.name}`;
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

/** Removes every upload of this node's from this home, also those of an import that was killed. */
export async function removeUploads(from: Uploader): Promise<void> {
  const { site } = from;
  const { node, importStorage } = site.settings;
  const { content } = site.client.api.nodes.$(node).storage.$(importStorage);
  const start = `${importStorage}:import/${prefixOf(from)}`;
  for (const { volid } of await content.$get({ content: 'import' })) {
    if (!volid.startsWith(start)) continue;
    const started = await content.$(volid).$delete();
    if (started) await finishTask(site, started);
  }
}
