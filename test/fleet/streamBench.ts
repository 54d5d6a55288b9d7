import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiProcess } from '../../api/testing/apiProcess.ts';
import { type NodeDouble, startNodeDouble } from '../doubles/node.ts';
import { freePort } from '../freePort.ts';
import { type GatewayProcess, startGatewayProcess } from './gatewayProcess.ts';
import { openStreamGuests, type StreamGuests } from './streamGuests.ts';

/** Gateway, API and hostd's half of streams as processes of their own, and websockify in front of the same servers. */
export interface StreamBench {
  api: ApiProcess;
  node: ChildProcess;
  gateway: GatewayProcess;
  /** Of the guest contract of that hostd, and a port on which it is to be had, too. */
  socket: string;
  nodePort: number;
  orders: NodeDouble;
  guests: StreamGuests;
  desktopIds: string[];
  close(): Promise<void>;
}

export const desktopsCount = 12;

export async function openStreamBench(program: string): Promise<StreamBench> {
  const api = new ApiProcess({ LEBUREAU_LOG_LEVEL: 'warn', LEBUREAU_POOL_MEMBERS_MAX: '0' });
  await api.start();
  const guests = await openStreamGuests();
  const folder = mkdtempSync(join(tmpdir(), 'lb-streams-'));
  const socket = join(folder, 'node.sock');
  const nodePort = await freePort();
  const args = [program, '--node', socket, ...[guests.base, guests.display, nodePort].map(String)];
  const node = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const orders = await startNodeDouble({
    apiSocket: join(api.home, 'run', 'api-node.sock'),
    guestSocket: join(folder, 'unused.sock'),
    hello: { guestAddress: `unix:${socket}` },
  });
  for (let tries = 0; !existsSync(socket) && tries < 200; tries++) await Bun.sleep(50);
  const desktopIds: string[] = [];
  for (let count = 0; count < desktopsCount; count++) {
    const made = (await (await api.ask('POST', '/v1/desktops', { body: { network: 'none' } })).json()) as {
      id: string;
    };
    await api.ask('GET', `/v1/desktops/${made.id}?waitFor=ready&timeoutSeconds=20`);
    desktopIds.push(made.id);
  }
  const gateway = await startGatewayProcess({ home: api.home, url: api.url });
  return {
    api,
    node,
    gateway,
    socket,
    nodePort,
    orders,
    guests,
    desktopIds,
    async close() {
      gateway.child.kill('SIGKILL');
      await orders.stop();
      node.kill('SIGKILL');
      guests.close();
      await api.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
