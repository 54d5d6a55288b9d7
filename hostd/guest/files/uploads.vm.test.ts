import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type NativeInit, nativeInitLacks, startNativeInit } from '../shell/nativeInit.ts';
import { SshConnection } from '../ssh/connection.ts';
import { type NativeSshd, sshdLacks, startNativeSshd } from '../ssh/nativeSshd.ts';
import { FileChannels } from './channels.ts';
import { finishUpload } from './finishUpload.ts';
import { uploadName } from './leftovers.ts';
import { statusCode } from './sftpPacket.ts';
import { SftpRefusal } from './sftpSession.ts';
import { cancelUpload, createUpload, getUpload, writeUpload } from './uploads.ts';

const lacks = sshdLacks() ?? nativeInitLacks();

describe.skipIf(lacks !== undefined)(`uploads over a real sshd${lacks ? ` (${lacks})` : ''}`, () => {
  let sshd: NativeSshd;
  let init: NativeInit;
  let channels: FileChannels;
  let ssh: SshConnection;

  /** As after hostd was killed and started anew: nothing is known but what the guest has. */
  const startAnew = () => {
    channels?.close();
    ssh?.close();
    const { openStream, username, privateKey, hostKey } = sshd;
    ssh = new SshConnection({ openStream, username, privateKey, hostKey, clock: systemClock, log: silentLog });
    channels = new FileChannels({ ssh, init: async () => init.channel, clock: systemClock, home: sshd.home });
  };
  beforeAll(async () => {
    sshd = await startNativeSshd();
    init = await startNativeInit();
  });
  beforeEach(startAnew);
  afterAll(() => {
    channels.close();
    ssh.close();
    init.stop();
    sshd.stop();
  });

  const at = (path: string) => join(sshd.home, path);
  const bytes = randomBytes(3_000_001);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const whole = { sizeBytes: bytes.length };
  const refused = (code: string) => expect.objectContaining({ code });
  const finish = (ask: Parameters<typeof finishUpload>[1], signal = new AbortController().signal) =>
    finishUpload(channels, ask, signal);
  const leftIn = (folder: string) => readdirSync(at(folder)).filter((name) => name.endsWith('.upload'));
  const begin = async (path: string, wish = {}) => {
    const { uploadId } = await createUpload(channels, { path, ...wish });
    return { uploadId, path };
  };
  type Ask = Awaited<ReturnType<typeof begin>>;
  async function* pieces(...parts: Uint8Array[]) {
    yield* parts;
  }
  async function* breaking(part: Uint8Array) {
    yield part;
    throw new Error('the network went away');
  }
  async function* hanging(part: Uint8Array, then: () => void) {
    yield part;
    then();
    await new Promise(() => {});
  }
  const send = async (ask: Ask, offset: number, end = bytes.length) =>
    (await writeUpload(channels, { ...ask, offset }, { body: pieces(bytes.subarray(offset, end)) })).receivedBytes;
  const received = async (ask: Ask) => (await getUpload(channels, ask)).receivedBytes;
  const temporary = (ask: Ask) => join(at(ask.path), '..', uploadName(ask.uploadId));

  test('in pieces, on after a body that broke, seen in its place only when it is whole', async () => {
    const upload = await begin('in/pieces.bin', { sizeBytes: bytes.length });
    expect(await getUpload(channels, upload)).toMatchObject({ path: at('in/pieces.bin'), receivedBytes: 0 });
    expect(await send(upload, 0, 1_000_000)).toBe(1_000_000);
    await expect(
      writeUpload(channels, { ...upload, offset: 1_000_000 }, { body: breaking(bytes.subarray(1_000_000, 1_600_000)) }),
    ).rejects.toThrow('went away');
    expect(await received(upload)).toBe(1_600_000);
    for (const offset of [1_000_000, 2_000_000])
      await expect(send(upload, offset)).rejects.toMatchObject({
        code: 'range_not_satisfiable',
        extra: { members: { sizeBytes: 1_600_000 } },
      });
    await expect(finish({ ...upload, ...whole })).rejects.toEqual(refused('range_not_satisfiable'));
    expect(readdirSync(at('in'))).toEqual([uploadName(upload.uploadId)]);
    expect(await send(upload, 1_600_000)).toBe(bytes.length);
    const receipt = await finish({ ...upload, ...whole, mode: '0750', sha256 });
    expect(receipt).toMatchObject({ sha256, entry: { path: at('in/pieces.bin'), mode: '0750', ...whole } });
    expect(readFileSync(at('in/pieces.bin')).equals(bytes)).toBe(true);
    expect(readdirSync(at('in'))).toEqual(['pieces.bin']);
  });

  test('hostd that died and a connection that was cut cost nothing that the guest has', async () => {
    const upload = await begin('died.bin');
    await send(upload, 0, 700_000);
    startAnew();
    expect(await received(upload)).toBe(700_000);
    async function* cutting() {
      yield bytes.subarray(700_000, 1_500_000);
      sshd.cut();
      yield bytes.subarray(1_500_000);
    }
    await expect(writeUpload(channels, { ...upload, offset: 700_000 }, { body: cutting() })).rejects.toEqual(
      refused('guest_unreachable'),
    );
    const offset = await received(upload);
    expect(offset).toBeGreaterThanOrEqual(700_000);
    await send(upload, offset);
    startAnew();
    expect((await finish({ ...upload, ...whole, sha256 })).sha256).toBe(sha256);
    expect(readFileSync(at('died.bin')).equals(bytes)).toBe(true);
  });

  test('finished twice it answers the same; hostd started anew knows it by its checksum alone', async () => {
    const upload = await begin('twice.bin');
    await send(upload, 0);
    const [one, other] = await Promise.all([1, 2].map(() => finish({ ...upload, ...whole })));
    expect(other).toEqual(one);
    startAnew();
    await expect(finish({ ...upload, ...whole })).rejects.toEqual(refused('file_not_found'));
    expect(await finish({ ...upload, ...whole, sha256, overwrite: false })).toEqual(one);
    const changed = { ...upload, ...whole, sha256: '0'.repeat(64) };
    await expect(finish(changed)).rejects.toEqual(refused('file_not_found'));
  });

  test('who goes while another finishes has asked for nothing', async () => {
    const upload = await begin('gone.bin');
    await send(upload, 0);
    const turn = Promise.withResolvers<void>();
    const before = channels.uploads.exclusively(uploadName(upload.uploadId), () => turn.promise);
    const left = new AbortController();
    const waiting = expect(finish({ ...upload, ...whole }, left.signal)).rejects.toEqual(refused('timeout'));
    left.abort();
    turn.resolve();
    await Promise.all([before, waiting]);
    expect(await received(upload)).toBe(bytes.length);
    expect((await finish({ ...upload, ...whole })).sha256).toBe(sha256);
  });

  test('another checksum is refused, and what came in is gone; the old file stays', async () => {
    writeFileSync(at('old.bin'), 'old');
    chownSync(at('old.bin'), sshd.uid, sshd.gid);
    for (const crash of [false, true]) {
      const upload = await begin('old.bin');
      await send(upload, 0);
      if (crash) startAnew();
      const wrong = finish({ ...upload, ...whole, sha256: '0'.repeat(64) });
      await expect(wrong).rejects.toEqual(refused('invalid_request'));
      await expect(received(upload)).rejects.toEqual(refused('file_not_found'));
    }
    expect(readFileSync(at('old.bin'), 'utf8')).toBe('old');
  });

  test('whoever comes last writes, one at a time, and who hangs is ended', async () => {
    const upload = await begin('hung/one.bin');
    const hung = Promise.withResolvers<void>();
    const first = writeUpload(
      channels,
      { ...upload, offset: 0 },
      { body: hanging(bytes.subarray(0, 900_000), hung.resolve) },
    );
    const ended = expect(first).rejects.toEqual(refused('timeout'));
    await hung.promise;
    const rush = await Promise.allSettled(
      [0, 0, 900_000, 900_000, 900_000].map((offset) => send(upload, offset, offset + 500_000)),
    );
    await ended;
    expect(rush.filter((one) => one.status === 'fulfilled').length).toBeGreaterThan(0);
    await send(upload, await received(upload));
    const late = Promise.withResolvers<void>();
    const writer = writeUpload(
      channels,
      { ...upload, offset: bytes.length },
      { body: hanging(new Uint8Array(0), late.resolve) },
    );
    const stopped = expect(writer).rejects.toEqual(refused('timeout'));
    await late.promise;
    await finish({ ...upload, ...whole, sha256 });
    await stopped;
    expect(readFileSync(at('hung/one.bin')).equals(bytes)).toBe(true);
  });

  test('a guest that swaps, cuts or stretches the file is told where it is, and nothing is written elsewhere', async () => {
    const upload = await begin('hostile/file.bin');
    await send(upload, 0, 1_000_000);
    truncateSync(temporary(upload), 400_000);
    await expect(send(upload, 1_000_000)).rejects.toEqual(refused('range_not_satisfiable'));
    await send(upload, 400_000);
    appendFileSync(temporary(upload), 'more');
    await expect(finish({ ...upload, ...whole })).rejects.toEqual(refused('range_not_satisfiable'));
    truncateSync(temporary(upload), bytes.length);
    writeFileSync(at('victim'), 'safe');
    chownSync(at('victim'), sshd.uid, sshd.gid);
    const swaps = [
      () => symlinkSync(at('victim'), temporary(upload)),
      () => mkdirSync(temporary(upload)),
      () => execFileSync('mkfifo', [temporary(upload)]),
    ];
    for (const swap of swaps) {
      rmSync(temporary(upload), { recursive: true });
      swap();
      await expect(send(upload, 0)).rejects.toEqual(refused('file_not_found'));
      await expect(finish({ ...upload, ...whole })).rejects.toEqual(refused('file_not_found'));
    }
    expect(readFileSync(at('victim'), 'utf8')).toBe('safe');
  });

  test('a link is written through; a folder in the way, a read-only file and an id that is none are refused', async () => {
    await finish({ ...(await begin('target')), sizeBytes: 0 });
    symlinkSync('target', at('link'));
    const upload = await begin('link');
    await send(upload, 0);
    await finish({ ...upload, ...whole });
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(statSync(at('target')).size).toBe(bytes.length);
    await expect(begin('target', { overwrite: false })).rejects.toEqual(refused('file_exists'));
    const late = await begin('late');
    writeFileSync(at('late'), 'locked');
    const again = (wish = {}) => finish({ ...late, sizeBytes: 0, ...wish });
    await expect(again()).rejects.toEqual(refused('permission_denied'));
    await expect(again({ overwrite: false })).rejects.toEqual(refused('file_exists'));
    rmSync(at('late'));
    mkdirSync(at('late'));
    await expect(again()).rejects.toEqual(refused('is_a_directory'));
    await expect(begin('/root/x')).rejects.toEqual(refused('permission_denied'));
    await cancelUpload(channels, late);
    await cancelUpload(channels, late);
    expect(leftIn('.')).toEqual([]);
  });

  test.each([false, true])(
    'behind a chunk that was refused nothing counts (cutting it refused, too: %s)',
    async (stays) => {
      const upload = await begin(`hole-${stays}.bin`);
      const session = await channels.session('bulk');
      const [write, setHandleSize] = [session.write.bind(session), session.setHandleSize.bind(session)];
      let refusedAt = 0;
      let writes = 0;
      session.write = (handle, offset, chunk) => {
        if (++writes !== 3) return write(handle, offset, chunk);
        refusedAt = offset;
        return Promise.reject(new SftpRefusal(statusCode.failure, 'refused'));
      };
      if (stays) session.setHandleSize = () => Promise.reject(new SftpRefusal(statusCode.failure, 'refused'));
      await expect(send(upload, 0)).rejects.toEqual(refused('permission_denied'));
      Object.assign(session, { write, setHandleSize });
      expect(statSync(temporary(upload)).size > refusedAt).toBe(stays);
      expect(await received(upload)).toBe(refusedAt);
      await send(upload, refusedAt, refusedAt + 1000);
      expect(statSync(temporary(upload)).size).toBe(refusedAt + 1000);
      await send(upload, refusedAt + 1000);
      await finish({ ...upload, ...whole, sha256 });
    },
  );

  test('a full disk is said at the beginning, and in the middle keeps what is whole until there is room', async () => {
    const mount = at('small');
    mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=2m,uid=${sshd.uid},gid=${sshd.gid},mode=755`, 'none', mount]);
    try {
      await expect(begin('small/file', { sizeBytes: 2_500_000 })).rejects.toEqual(refused('disk_full'));
      await expect.poll(() => leftIn('small')).toEqual([]);
      const upload = await begin('small/file');
      await expect(send(upload, 0)).rejects.toEqual(refused('disk_full'));
      const offset = await received(upload);
      expect(readFileSync(temporary(upload)).equals(bytes.subarray(0, offset))).toBe(true);
      execFileSync('mount', ['-o', 'remount,size=8m', mount]);
      expect(await send(upload, offset)).toBe(bytes.length);
      await finish({ ...upload, ...whole, sha256 });
      expect(readFileSync(at('small/file')).equals(bytes)).toBe(true);
    } finally {
      execFileSync('umount', [mount]);
    }
  });
});
