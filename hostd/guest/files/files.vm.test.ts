import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NativeInit, nativeInitLacks, startNativeInit } from '../shell/nativeInit.ts';
import { SshConnection } from '../ssh/connection.ts';
import { type NativeSshd, sshdLacks, startNativeSshd } from '../ssh/nativeSshd.ts';
import { FileChannels } from './channels.ts';
import { deleteFile } from './delete.ts';
import { makeDirectory } from './folders.ts';
import { temporaryName } from './leftovers.ts';
import { listFiles, statFile } from './list.ts';
import { moveFile } from './move.ts';
import { readFile } from './read.ts';
import { writeFile } from './write.ts';

const lacks = sshdLacks() ?? nativeInitLacks();

describe.skipIf(lacks !== undefined)(`files over a real sshd${lacks ? ` (${lacks})` : ''}`, () => {
  let sshd: NativeSshd;
  let init: NativeInit;
  let channels: FileChannels;
  let ssh: SshConnection;

  beforeAll(async () => {
    sshd = await startNativeSshd();
    init = await startNativeInit();
    const { openStream, username, privateKey, hostKey } = sshd;
    ssh = new SshConnection({ openStream, username, privateKey, hostKey, clock: systemClock, log: silentLog });
    channels = new FileChannels({ ssh, init: async () => init.channel, clock: systemClock, home: sshd.home });
  });
  afterAll(() => {
    channels.close();
    ssh.close();
    init.stop();
    sshd.stop();
  });

  const at = (path: string) => join(sshd.home, path);
  async function* pieces(...parts: (string | Uint8Array)[]) {
    for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
  }
  const write = (path: string, text: string | Uint8Array, query = {}) =>
    writeFile(channels, { path, ...query }, { body: pieces(text) });
  const read = async (path: string, range?: string) => {
    const content = await readFile(channels, { path }, { range });
    const chunks = await Array.fromAsync(content.body);
    return { ...content, bytes: Buffer.concat(chunks) };
  };
  const refused = (code: string) => expect.objectContaining({ code });
  const mine = (path: string) => chownSync(at(path), sshd.uid, sshd.gid);
  const partsLeft = (folder = '.') => readdirSync(at(folder)).filter((name) => name.endsWith('.part'));

  test('what is written is read back, with its checksum, mode and range', async () => {
    const bytes = randomBytes(3_000_001);
    const cut = [bytes.subarray(0, 5), bytes.subarray(5, 700_000), bytes.subarray(700_000)];
    const receipt = await writeFile(channels, { path: 'deep/er/bytes.bin', mode: '0751' }, { body: pieces(...cut) });
    expect(receipt.sha256).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(receipt.entry).toMatchObject({
      name: 'bytes.bin',
      path: at('deep/er/bytes.bin'),
      type: 'file',
      sizeBytes: bytes.length,
      mode: '0751',
      linkTarget: null,
    });
    expect((await read('~/deep/er/bytes.bin')).bytes.equals(bytes)).toBe(true);
    const part = await read(at('deep/er/bytes.bin'), 'bytes=262100-2621000');
    expect(part).toMatchObject({ isPart: true, firstByte: 262_100, lengthBytes: 2_358_901 });
    expect(part.bytes.equals(bytes.subarray(262_100, 2_621_001))).toBe(true);
    await expect(readFile(channels, { path: 'deep/er/bytes.bin' }, { range: 'bytes=3000001-' })).rejects.toEqual(
      refused('range_not_satisfiable'),
    );
    expect(partsLeft('deep/er')).toEqual([]);
  });

  test('empty files, and files of /proc that only say they are empty', async () => {
    expect((await write('empty', '')).entry.sizeBytes).toBe(0);
    expect(await read('empty')).toMatchObject({ lengthBytes: 0, isPart: false });
    const content = await read('/proc/self/status');
    expect(content.bytes.toString()).toContain('sshd');
    expect(content.lengthBytes).toBe(content.bytes.length);
  });

  test('replacing keeps the mode; overwrite=false, folders, pipes and read-only files are refused', async () => {
    await write('kept', 'old', { mode: '0640' });
    expect((await write('kept', 'new')).entry).toMatchObject({ mode: '0640', sizeBytes: 3 });
    expect((await write('plain', 'x')).entry.mode).toBe('0644');
    await expect(write('kept', 'other', { overwrite: false })).rejects.toEqual(refused('file_exists'));
    expect((await write('fresh', 'x', { overwrite: false })).entry.sizeBytes).toBe(1);
    await makeDirectory(channels, { path: 'folder' });
    await expect(write('folder', 'x')).rejects.toEqual(refused('is_a_directory'));
    execFileSync('mkfifo', [at('pipe')]);
    await expect(write('pipe', 'x')).rejects.toEqual(refused('file_exists'));
    await expect(readFile(channels, { path: 'pipe' })).rejects.toEqual(refused('permission_denied'));
    await expect(readFile(channels, { path: 'folder' })).rejects.toEqual(refused('is_a_directory'));
    writeFileSync(at('locked'), 'safe');
    await expect(write('locked', 'x')).rejects.toEqual(refused('permission_denied'));
    expect(readFileSync(at('locked'), 'utf8')).toBe('safe');
    expect(readFileSync(at('kept'), 'utf8')).toBe('new');
  });

  test('what agent may not do is said with a way out, and what is not there is not found', async () => {
    const denied = { code: 'permission_denied', extra: { hint: expect.stringContaining('exec as root') } };
    await expect(write('/root/x', 'x')).rejects.toMatchObject(denied);
    await expect(write('/etc/lebureau-test', 'x')).rejects.toMatchObject(denied);
    await expect(readFile(channels, { path: '/etc/shadow' })).rejects.toMatchObject(denied);
    await expect(statFile(channels, { path: 'nowhere' })).rejects.toEqual(refused('file_not_found'));
    await expect(listFiles(channels, { path: 'nowhere' })).rejects.toEqual(refused('file_not_found'));
    await expect(write('no/such/x', 'x', { parents: false })).rejects.toEqual(refused('file_not_found'));
    await write('plain', 'x');
    await expect(listFiles(channels, { path: 'plain' })).rejects.toEqual(refused('not_a_directory'));
    await expect(statFile(channels, { path: 'plain/x' })).rejects.toEqual(refused('not_a_directory'));
    await expect(write('plain/x', 'x')).rejects.toEqual(refused('not_a_directory'));
    await expect(makeDirectory(channels, { path: 'plain/x/y' })).rejects.toEqual(refused('not_a_directory'));
    await expect(statFile(channels, { path: 'a\0b' })).rejects.toEqual(refused('invalid_path'));
  });

  test('a symlink is written through and stays; one that leads nowhere makes its target; a loop is refused', async () => {
    await write('target', 'old');
    symlinkSync('target', at('link'));
    symlinkSync('later', at('dangling'));
    symlinkSync('loop', at('loop'));
    await write('link', 'new');
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('target'), 'utf8')).toBe('new');
    expect(await statFile(channels, { path: 'link' })).toMatchObject({ type: 'symlink', linkTarget: 'target' });
    await write('dangling', 'made');
    expect(lstatSync(at('dangling')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('later'), 'utf8')).toBe('made');
    await expect(write('loop', 'x')).rejects.toThrow(expect.objectContaining({ name: 'Fault' }));
  });

  test('a body that ends early, or a caller that goes away, leaves the old file whole and nothing else', async () => {
    await write('precious', 'old');
    async function* broken() {
      yield randomBytes(600_000);
      throw new Error('the caller went away');
    }
    await expect(writeFile(channels, { path: 'precious' }, { body: broken() })).rejects.toThrow('went away');
    const away = new AbortController();
    async function* endless() {
      yield randomBytes(600_000);
      away.abort();
      await new Promise(() => {});
    }
    await expect(writeFile(channels, { path: 'precious' }, { body: endless(), signal: away.signal })).rejects.toThrow(
      'abort',
    );
    expect(readFileSync(at('precious'), 'utf8')).toBe('old');
    await systemClock.sleep(300);
    expect(partsLeft()).toEqual([]);
  });

  test('an upload that a dead process left is swept, a young one is not', async () => {
    const old = '.lebureau-01m00000007000000000000000.part';
    const young = temporaryName(systemClock.nowMs());
    for (const name of [old, young]) {
      writeFileSync(at(name), 'x');
      mine(name);
    }
    await listFiles(channels, {});
    await systemClock.sleep(300);
    expect(partsLeft()).toEqual([young]);
    await deleteFile(channels, { path: young });
  });

  test('a folder is listed in pages that neither repeat nor skip while it changes', async () => {
    mkdirSync(at('many'));
    mine('many');
    const names = Array.from({ length: 250 }, (_, index) => `f${String(index).padStart(3, '0')}`);
    for (const name of names) writeFileSync(join(at('many'), name), name);
    const first = await listFiles(channels, { path: 'many', limit: 100 });
    expect(first.data.map((entry) => entry.name)).toEqual(names.slice(0, 100));
    writeFileSync(join(at('many'), 'a-new-one'), '');
    const second = await listFiles(channels, { path: 'many', limit: 100, cursor: first.nextCursor! });
    expect(second.data.map((entry) => entry.name)).toEqual(names.slice(100, 200));
    const third = await listFiles(channels, { path: 'many', limit: 100, cursor: second.nextCursor! });
    expect(third).toMatchObject({ nextCursor: null, data: { length: 50 } });
    await expect(listFiles(channels, { path: 'many', cursor: 'x' })).rejects.toEqual(refused('invalid_request'));
    expect((await listFiles(channels, { path: '/' })).data.map((entry) => entry.path)).toContain('/etc');
  });

  test('names of any bytes: UTF-8 is reached, anything else is shown with its bytes', async () => {
    await write('name/日本 \n"😀', 'x');
    execFileSync('sh', ['-c', String.raw`cd "$1" && : >"$(printf 'bad\377')" && chmod 777 .`, 'sh', at('name')]);
    const { data } = await listFiles(channels, { path: 'name' });
    expect(data.map(({ name, nameBase64 }) => ({ name, nameBase64 }))).toEqual([
      { name: 'bad\uFFFD', nameBase64: Buffer.from('bad\xff', 'latin1').toString('base64') },
      { name: '日本 \n"😀', nameBase64: undefined },
    ]);
    expect((await read('name/日本 \n"😀')).bytes.toString()).toBe('x');
  });

  test('folders: parents, modes, and what is in the way', async () => {
    expect(await makeDirectory(channels, { path: 'made/by/parents', mode: '0777' })).toMatchObject({
      type: 'directory',
      mode: '0777',
    });
    expect((await makeDirectory(channels, { path: 'made/by' })).type).toBe('directory');
    await expect(makeDirectory(channels, { path: 'made/by', parents: false })).rejects.toEqual(refused('file_exists'));
    await expect(makeDirectory(channels, { path: 'gone/by', parents: false })).rejects.toEqual(
      refused('file_not_found'),
    );
  });

  test('moving replaces a file only when asked, and a folder never', async () => {
    await write('move/a', 'a');
    await write('move/b', 'b');
    await makeDirectory(channels, { path: 'move/folder' });
    const move = (from: string, to: string, overwrite?: boolean) => moveFile(channels, { from, to, overwrite });
    await expect(move('move/a', 'move/b')).rejects.toEqual(refused('file_exists'));
    await expect(move('move/a', 'move/folder', true)).rejects.toEqual(refused('is_a_directory'));
    expect(await move('move/a', 'move/b', true)).toMatchObject({ path: at('move/b'), sizeBytes: 1 });
    expect(readFileSync(at('move/b'), 'utf8')).toBe('a');
    await expect(move('move/a', 'move/c')).rejects.toEqual(refused('file_not_found'));
    await expect(move('move/b', 'move/no/c')).rejects.toEqual(refused('file_not_found'));
    expect(await move('move/folder', 'move/folder2')).toMatchObject({ type: 'directory' });
    await expect(move('move/folder2', 'move/b', true)).rejects.toEqual(refused('not_a_directory'));
    await expect(move('move/folder2', 'move/folder2/in')).rejects.toEqual(refused('invalid_path'));
    expect((await move('move/b', 'move/b')).sizeBytes).toBe(1);
    await expect(move('move/b', '/dev/shm/lebureau-test')).rejects.toEqual(refused('invalid_path'));
    expect(existsSync(at('move/b'))).toBe(true);
  });

  test('deleting: files, links but not what they lead to, folders when asked', async () => {
    await write('tree/a/b', 'x');
    await write('outside/safe', 'x');
    symlinkSync(at('outside'), at('tree/link'));
    symlinkSync(at('outside'), at('link-outside'));
    await deleteFile(channels, { path: 'link-outside', recursive: true });
    await expect(deleteFile(channels, { path: 'tree' })).rejects.toEqual(refused('directory_not_empty'));
    await deleteFile(channels, { path: 'tree', recursive: true });
    expect(existsSync(at('tree'))).toBe(false);
    expect(existsSync(at('outside/safe'))).toBe(true);
    await expect(deleteFile(channels, { path: 'tree' })).rejects.toEqual(refused('file_not_found'));
    await makeDirectory(channels, { path: 'hollow' });
    await deleteFile(channels, { path: 'hollow' });
    await expect(deleteFile(channels, { path: '/', recursive: true })).rejects.toEqual(refused('invalid_path'));
    await expect(deleteFile(channels, { path: '/etc/ssh', recursive: true })).rejects.toEqual(
      refused('permission_denied'),
    );
    mkdirSync(at('roots/inner'), { recursive: true });
    mine('roots');
    writeFileSync(at('roots/inner/x'), '');
    await expect(deleteFile(channels, { path: 'roots', recursive: true })).rejects.toEqual(
      refused('permission_denied'),
    );
  });

  test('a full disk is said to be full, and the old file stays', async () => {
    const mount = at('small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=2m,uid=${sshd.uid},gid=${sshd.gid},mode=755`, 'none', mount]);
    try {
      await write('small/file', 'old');
      await expect(write('small/file', randomBytes(4_000_000))).rejects.toEqual(refused('disk_full'));
      expect(readFileSync(join(mount, 'file'), 'utf8')).toBe('old');
      await systemClock.sleep(300);
      expect(partsLeft('small')).toEqual([]);
      execFileSync('mount', ['-o', 'remount,ro', mount]);
      await expect(write('small/file', 'x')).rejects.toEqual(refused('permission_denied'));
    } finally {
      execFileSync('umount', [mount]);
    }
  });

  test('a file that shrinks while it is read fails, and never ends short in silence', async () => {
    await write('shrinking', randomBytes(8_000_000));
    const { body } = await readFile(channels, { path: 'shrinking' });
    const reader = body.getReader();
    await reader.read();
    truncateSync(at('shrinking'), 1_000_000);
    const rest = async () => {
      for (;;) if ((await reader.read()).done) return;
    };
    await expect(rest()).rejects.toThrow('shrank');
  });

  test('many at once, through a cut connection and after it', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, index) => write(`crowd/${index}`, `${index}`)));
    expect((await listFiles(channels, { path: 'crowd' })).data).toHaveLength(30);
    await write('survivor', 'old');
    async function* cutting() {
      yield randomBytes(500_000);
      sshd.cut();
      for (let count = 0; count < 50; count++) {
        yield randomBytes(500_000);
        await systemClock.sleep(5);
      }
    }
    await expect(writeFile(channels, { path: 'survivor' }, { body: cutting() })).rejects.toEqual(
      refused('guest_unreachable'),
    );
    expect((await read('survivor')).bytes.toString()).toBe('old');
    chmodSync(at('survivor'), 0o600);
    expect((await write('survivor', 'new')).entry.mode).toBe('0600');
  });
});
