import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Fault } from '@lebureau/kit/fault';
import { giveToQemu, type WarmMachine } from './warmMachine.ts';

const saveMaxMs = 120_000;

/** Where the devices are written: beside QEMU's folder, not in it, because there QEMU's user could exchange the names. */
export function savingFolder(run: string): string {
  return join(dirname(run), `.save${basename(run).replace('.making', '')}`);
}

/** RAM is in its file already (shared), so the stream carries the devices only: some 5 MB. */
export async function saveDevices(machine: WarmMachine, run: string): Promise<void> {
  const saving = savingFolder(run);
  await machine.qmp.execute('stop');
  const capabilities = [
    { capability: 'x-ignore-shared', state: true },
    { capability: 'events', state: true },
  ];
  await machine.qmp.execute('migrate-set-capabilities', { capabilities });
  await rm(saving, { recursive: true, force: true });
  await mkdir(saving);
  await chmod(saving, 0o711);
  const server = createServer();
  server.listen(join(saving, 's'));
  await once(server, 'listening');
  await giveToQemu([join(saving, 's')]);
  const file = createWriteStream(join(saving, 'device-state'), { flags: 'wx', mode: 0o600 });
  const written = new Promise<void>((resolve, reject) => {
    file.once('error', reject);
    server.once('connection', (stream) => pipeline(stream, file).then(resolve, reject));
  });
  written.catch(() => {}); // awaited below, also when QEMU refuses first
  try {
    const done = machine.qmp.nextEvent(
      ({ event, data }) => event === 'MIGRATION' && (data.status === 'completed' || data.status === 'failed'),
      saveMaxMs,
    );
    // QEMU's working directory is `run`; a path from there is short enough for a socket.
    const uri = `unix:../${basename(saving)}/s`;
    const [, event] = await Promise.all([machine.qmp.execute('migrate', { uri }), done]);
    if (event.data.status !== 'completed') throw new Fault('hypervisor_failed', 'QEMU could not save its devices');
    await written;
  } finally {
    server.close();
    file.destroy();
  }
}

/** Once `run` was taken back: puts the file into it. */
export async function keepDevices(run: string): Promise<void> {
  await rename(join(savingFolder(run), 'device-state'), join(run, 'device-state'));
  await rm(savingFolder(run), { recursive: true, force: true });
}
