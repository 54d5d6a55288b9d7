import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { newToken } from '../../api/testing/joiner.ts';
import type { TestApi } from '../../api/testing/testApi.ts';
import { openApiLink } from '../../hostd/apiLink.ts';
import { joinApi } from '../../hostd/joinApi.ts';
import { type NodeIdentity, tlsTowardsApi, writeNodeIdentity } from '../../hostd/nodeIdentity.ts';
import { type NodeDouble, startNodeDouble } from '../doubles/node.ts';

/** A node that joined by hostd's own code and is reached by it; the machines and guests behind are doubles. */
export interface RemoteNode {
  node: NodeDouble;
  identity: NodeIdentity;
  /** A desktop there, ready. */
  desktopId: string;
  guestAddress: string;
  close(): Promise<void>;
}

/** Joins, opens the way in and makes one desktop there. */
export async function startRemoteNode(
  api: TestApi,
  name: string,
  guestListen?: { hostname: string; port: number },
): Promise<RemoteNode> {
  const home = mkdtempSync(join(tmpdir(), 'lb-remote-'));
  const apiAddress = `https://127.0.0.1:${api.api.nodeTlsPort}`;
  const labels = { machine: name };
  const identity = await joinApi({ apiAddress, token: await newToken(api, { labels }), nodeName: name }, systemClock);
  writeNodeIdentity(home, identity);
  const guestSocket = join(home, 'guest.sock');
  const config = { home, apiAddress: undefined, nodeName: name, guestSocket, guestListen, guestAddress: undefined };
  const link = openApiLink(config, { clock: systemClock, log: silentLog });
  const node = await startNodeDouble({
    apiTls: { address: apiAddress, tls: tlsTowardsApi(identity) },
    guestSocket,
    name,
    hello: { guestAddress: link.guestAddress },
  });
  const opened = await link.open();
  const body = { nodeSelector: labels };
  const { id } = await api.expect<{ id: string }>('createDesktop', 201, { method: 'POST', path: '/v1/desktops', body });
  const path = `/v1/desktops/${id}?waitFor=ready&timeoutSeconds=10`;
  const desktop = await api.expect<{ nodeId: string }>('getDesktop', 200, { method: 'GET', path });
  if (desktop.nodeId !== node.nodeId) throw new Error(`The desktop of ${name} is elsewhere.`);
  return {
    node,
    identity,
    desktopId: id,
    guestAddress: link.guestAddress,
    async close() {
      await opened.close();
      await node.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
