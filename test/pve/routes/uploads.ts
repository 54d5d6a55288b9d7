import { badParameters, died } from '../api/refusal.ts';
import type { Upload } from '../api/upload.ts';
import type { StorageState } from '../world/state.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes, World } from '../world/world.ts';
import { fileKey, parseVolume, storageOf, usedBytes } from '../vm/volumes.ts';

export const uploadRoutes: Routes = {
  'POST /nodes/{node}/storage/{storage}/upload': upload,
  'DELETE /nodes/{node}/storage/{storage}/content/{volume}': remove,
};

const extensions: Record<string, { form: RegExp; wrong: string }> = {
  iso: { form: /[^/]+\.(iso|img)$/i, wrong: 'wrong file extension' },
  vztmpl: { form: /[^/]+\.tar\.(gz|xz|zst|bz2)$/, wrong: 'wrong file extension' },
  import: { form: /[a-zA-Z0-9\-.+=_]+\.(ova|qcow2|raw|vmdk)$/, wrong: 'invalid filename or wrong extension' },
};
const folders: Record<string, string> = { iso: 'template/iso', vztmpl: 'template/cache', import: 'import' };

function upload(call: Call): string {
  const { world, given, node } = call;
  const name = String(given.storage);
  const storage = usable(world, name, node);
  if (storage.path === undefined) throw died(`can't upload to storage type '${storage.type}'`);
  const tmp = String(given.tmpfilename);
  const file = world.uploads.get(tmp);
  if (file === undefined) throw died(`temporary file '${tmp}' does not exist`);
  world.uploads.delete(tmp);
  const content = String(given.content);
  const filename = String(given.filename)
    .replace(/^.*[/\\]/, '')
    .replace(/[^-a-zA-Z0-9_.]/g, '_');
  const { form, wrong } = extensions[content]!;
  const format = form.exec(filename)?.[1];
  if (format === undefined) throw badParameters({ filename: wrong });
  if (!storage.content.includes(content)) throw died(`storage '${name}' does not support '${content}' content`);
  const volume = `${name}:${content}/${filename}`;
  const path = `${storage.path}/${folders[content]}/${filename}`;
  return world.task(call, 'imgcopy', (running) => copy(call, { file, tmp, volume, path, format }, running));
}

/** `storage_check_enabled`. */
function usable(world: World, name: string, node: string): StorageState {
  const storage = storageOf(world, name);
  if (storage.disabled) throw died(`storage '${name}' is disabled`);
  if (storage.nodes !== undefined && !storage.nodes.includes(node))
    throw died(`storage '${name}' is not available on node '${node}'`);
  return storage;
}

interface Copying {
  file: Upload;
  tmp: string;
  volume: string;
  path: string;
  format: string;
}

/** The checksum before the file is there; one of the same name is overwritten. */
async function copy(call: Call, one: Copying, running: Running): Promise<void> {
  const { world, given, node } = call;
  const { file, tmp, volume, path, format } = one;
  running.log(`starting file import from: ${tmp}`);
  await world.pace.wait(100);
  if (given['checksum-algorithm'] !== undefined) {
    const got = file.checksum ?? '';
    const expect = String(given.checksum);
    if (got !== expect.toLowerCase()) throw died(`checksum mismatch: got '${got}' != expect '${expect}'`);
    running.log('calculating checksum...OK, checksum verified');
  }
  checkImage(file, tmp, format);
  running.log(`target node: ${node}\ntarget file: ${path}\nfile size is: ${file.sizeBytes}`);
  running.log(`command: cp -- ${tmp} ${path}`);
  await world.pace.wait(200, running.signal);
  const key = fileKey(world, volume, node);
  delete world.state.files[key];
  const { storage } = parseVolume(volume);
  if (usedBytes(world, storage, node) + file.sizeBytes > storageOf(world, storage).totalBytes)
    throw died(`import failed: cp: error writing '${path}': No space left on device`);
  world.state.files[key] = {
    volume,
    content: String(given.content),
    format,
    sizeBytes: file.sizeBytes,
    virtualBytes: format === 'qcow2' ? Number(file.head.readBigUInt64BE(24)) : file.sizeBytes,
    ctime: world.nowS(node),
  };
  world.save();
  running.log('finished file import successfully');
}

/** `qemu-img info` on what nobody vouches for. */
function checkImage({ head }: Upload, tmp: string, format: string): void {
  if (format !== 'qcow2') return;
  if (head.toString('latin1', 0, 4) !== 'QFI\xfb')
    throw died(`qemu-img: Could not open '${tmp}': Image is not in qcow2 format`);
  if (head.readBigUInt64BE(8) !== 0n) throw died(`image '${tmp}' has a backing file, which is not allowed`);
}

function remove(call: Call): string {
  const { world, given, caller, node } = call;
  const name = String(given.storage);
  const asked = String(given.volume);
  const volume = asked.includes(':') ? asked : `${name}:${asked}`;
  if (parseVolume(volume).storage !== name)
    throw badParameters({ volume: `storage ID mismatch (${parseVolume(volume).storage} != ${name})` });
  usable(world, name, node);
  world.permissions.check(caller, `/storage/${name}`, ['Datastore.Allocate']);
  const what = { type: 'imgdel', id: name, node, who: caller };
  return world.tasks.start(what, async (running) => {
    await world.pace.wait(50);
    delete world.state.files[fileKey(world, volume, node)];
    world.save();
    running.log(`Removed volume '${volume}'`);
  });
}
