import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { buildInitProgram } from '../../template/initProgram.ts';
import type { InitChannel, InitExecRequest } from '../init/channel.ts';
import { type InitClient, openInitChannel } from '../init/client.ts';

/**
 * For tests: the resident init program of the template on this machine, behind a Unix socket. User `nobody` plays the
 * part of `agent`; the home folders of both users lie in `folder`.
 */
export interface NativeInit {
  channel: InitChannel;
  folder: string;
  /** Where `/home/agent` is. */
  home: string;
  /** A second connection, as a restarted hostd makes one: the first is dead afterwards. */
  reconnect: () => Promise<InitChannel>;
  stop: () => void;
}

/** Why it cannot run here, or undefined. */
export function nativeInitLacks(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return existsSync('/usr/bin/musl-gcc') ? undefined : 'needs the package musl-tools';
}

const nobody = { uid: 65534, gid: 65534 };

export async function startNativeInit(): Promise<NativeInit> {
  const folder = mkdtempSync('/var/tmp/lb-init-');
  const homes = { agent: join(folder, 'agent'), root: join(folder, 'root') };
  for (const home of Object.values(homes)) mkdirSync(home);
  chmodSync(folder, 0o755);
  chownSync(homes.agent, nobody.uid, nobody.gid);
  const program = join(folder, 'init');
  await buildInitProgram(program, AbortSignal.timeout(120_000));
  const connections: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const server = createServer((socket) => {
    const take = waiting.shift();
    if (take === undefined) connections.push(socket);
    else take(socket);
  });
  const path = join(folder, 'socket');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const child = spawn(program, ['--device', `unix:${path}`, '--root', join(folder, 'identity')], { stdio: 'ignore' });
  const next = () =>
    new Promise<Socket>((resolve) => {
      const socket = connections.shift();
      if (socket === undefined) waiting.push(resolve);
      else resolve(socket);
    });
  let client: InitClient = openInitChannel(await next(), systemClock);
  return {
    channel: atHome(() => client, homes),
    folder,
    home: homes.agent,
    reconnect: async () => {
      client.close();
      client = openInitChannel(await next(), systemClock);
      return atHome(() => client, homes);
    },
    stop: () => {
      client.close();
      server.close();
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Says `nobody` for `agent`, and the folders here for the home folders there. */
function atHome(client: () => InitClient, homes: { agent: string; root: string }): InitChannel {
  const here = (text: string) =>
    text.replace(/^\/home\/agent(?=\/|$)/, homes.agent).replace(/^\/root(?=\/|$)/, homes.root);
  const translate = (request: InitExecRequest): InitExecRequest => ({
    ...request,
    user: request.user === 'agent' ? 'nobody' : request.user,
    argv: request.argv.map(here),
    cwd: request.cwd === undefined ? homes[request.user === 'root' ? 'root' : 'agent'] : here(request.cwd),
  });
  return {
    health: (timeoutMs) => client().health(timeoutMs),
    identify: (identity, timeoutMs) => client().identify(identity, timeoutMs),
    exec: (request) => client().exec(translate(request)),
    connect: (path, timeoutMs) => client().connect(path, timeoutMs),
    close: () => client().close(),
  };
}
