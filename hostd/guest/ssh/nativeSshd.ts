import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { freePort } from '../../hypervisor/qemu/channels.ts';

/**
 * For tests: OpenSSH's own server on this machine, on a loopback port, with keys of its own. User `nobody` plays the
 * part of `agent`, with a home folder of its own.
 */
export interface NativeSshd {
  port: number;
  username: string;
  uid: number;
  gid: number;
  /** Owned by the user. */
  home: string;
  hostKey: string;
  privateKey: string;
  privateKeyPath: string;
  openStream: () => Promise<Duplex>;
  /** Ends every session without a word, as a dying guest does. */
  cut: () => void;
  stop: () => void;
}

export const sshdPath = '/usr/sbin/sshd';

/** Why it cannot run here, or undefined. */
export function sshdLacks(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return existsSync(sshdPath) ? undefined : 'needs the package openssh-server';
}

export async function startNativeSshd(): Promise<NativeSshd> {
  const folder = mkdtempSync('/var/tmp/lb-sshd-');
  const home = join(folder, 'home');
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'nobody'])));
  mkdirSync(home);
  chmodSync(folder, 0o755);
  chownSync(home, uid!, gid!);
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const name of ['host', 'client'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  const port = await freePort();
  const config = join(folder, 'config');
  writeFileSync(config, configOf(folder, port));
  const server = spawn(sshdPath, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  await answering(port, server);
  const streams = new Set<Duplex>();
  return {
    port,
    username: 'nobody',
    uid: uid!,
    gid: gid!,
    home,
    hostKey: readFileSync(join(folder, 'host.pub'), 'utf8').trim(),
    privateKey: readFileSync(join(folder, 'client'), 'utf8'),
    privateKeyPath: join(folder, 'client'),
    openStream: () =>
      new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1');
        socket.once('connect', () => resolve(socket));
        socket.once('error', reject);
        streams.add(socket);
        socket.once('close', () => streams.delete(socket));
      }),
    cut: () => {
      for (const stream of streams) stream.destroy();
    },
    stop: () => {
      for (const stream of streams) stream.destroy();
      server.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configOf(folder: string, port: number): string {
  return [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${folder}/host`,
    `AuthorizedKeysFile ${folder}/client.pub`,
    `PidFile ${folder}/pid`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'AllowUsers nobody',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n');
}

async function answering(port: number, server: ChildProcess): Promise<void> {
  let complaint = '';
  server.stderr?.on('data', (text) => (complaint += text));
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('data', () => socket.destroy() && resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (isUp) return;
    if (server.exitCode !== null) throw new Error(`sshd did not start: ${complaint}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`sshd does not answer: ${complaint}`);
}
