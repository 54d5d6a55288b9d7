import type { FilesClient } from './filesClient.ts';
import { joinPath } from './paths.ts';

const trash = '/home/agent/.local/share/Trash';

/**
 * Moves something to the trash of the desktop, where its own file manager shows it too (freedesktop.org Trash
 * Specification 1.0). @returns what brings it back
 */
export async function moveToTrash(files: FilesClient, path: string): Promise<() => Promise<void>> {
  const name = `${path.slice(path.lastIndexOf('/') + 1)}.${Date.now().toString(36)}`;
  const kept = joinPath(`${trash}/files`, name);
  const note = joinPath(`${trash}/info`, `${name}.trashinfo`);
  const deletedAt = new Date().toISOString().slice(0, 19);
  await files.makeFolder(`${trash}/files`);
  await files.writeText(note, `[Trash Info]\nPath=${encodeURI(path)}\nDeletionDate=${deletedAt}\n`);
  await files.move(path, kept);
  return async () => {
    await files.move(kept, path);
    await files.remove(note);
  };
}

/** What is outside the home folder, or in the trash already, cannot be put there. */
export function hasTrash(path: string): boolean {
  return path.startsWith('/home/agent/') && !path.startsWith(`${trash}/`) && path !== '/home/agent/.local';
}
