import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { ApiAddresses } from './apiAddresses.ts';
import { trustLearned, trustSaid } from './apiTrust.ts';
import type { HostdConfig } from './config.ts';
import { type NodeIdentity, readNodeIdentity, tlsTowardsApi, writeNodeIdentity } from './nodeIdentity.ts';
import { connectNodeApi, giveRecording, renewCertificate } from './nodeapi.ts';
import type { NodeWelcome, OrderDesk } from './orders.ts';
import { openTlsDoor } from './reach/tlsDoor.ts';
import { Tunnel } from './reach/tunnel.ts';
import { Renewal } from './renewal.ts';
import type { GiveRecording } from './streams/leftRecordings.ts';

/** How this hostd and its API reach each other. */
export interface ApiLink {
  desk: OrderDesk;
  /** Sends a piece of a recording after a desktop that moved. @throws Fault */
  giveRecording: GiveRecording;
  nodeName: string;
  /** What the API is told: where it finds the guest contract. */
  guestAddress: string;
  /** Lets the API in, over what serves the guest contract on this machine. */
  open(): Promise<{ close(): Promise<void> }>;
}

type LinkConfig = Pick<
  HostdConfig,
  'home' | 'apiAddress' | 'nodeName' | 'guestSocket' | 'guestListen' | 'guestAddress'
>;

/** @throws Error when the API is on another machine and this node has not joined it */
export function openApiLink(config: LinkConfig, at: { clock: Clock; log: Log }): ApiLink {
  const identity = readNodeIdentity(config.home);
  const address = config.apiAddress ?? identity?.apiAddress ?? `unix:${join(config.home, 'run', 'api-node.sock')}`;
  if (address.startsWith('unix:')) {
    const local = { addresses: new ApiAddresses({ configured: [address] }) };
    return {
      desk: connectNodeApi(local),
      giveRecording: (given, signal) => giveRecording(local, given, signal),
      nodeName: config.nodeName,
      guestAddress: `unix:${config.guestSocket}`,
      open: () => Promise.resolve({ close: () => Promise.resolve() }),
    };
  }
  if (identity === undefined)
    throw new Error(
      `This node has not joined the API at ${address}. Run: npm run bun hostd/main.ts join ${address} TOKEN`,
    );
  return remoteLink(config, { ...at, identity: { ...identity, apiAddress: address } });
}

/** `https://…`, one or several by comma. */
function addressesOf({ apiAddress, apiAddresses }: NodeIdentity): ApiAddresses {
  const [first, ...others] = apiAddress.split(',');
  return new ApiAddresses({ configured: [first!, ...others], learned: apiAddresses });
}

function remoteLink(config: LinkConfig, at: { clock: Clock; log: Log; identity: NodeIdentity }): ApiLink {
  const { clock, log } = at;
  let { identity } = at;
  let door: Door | undefined;
  let renewal: Renewal | undefined;
  const keep = (changed: Partial<NodeIdentity>) => {
    const next = { ...identity, ...changed };
    writeNodeIdentity(config.home, next);
    identity = next;
    door?.renew(identity);
  };
  const addresses = addressesOf(identity);
  const api = { addresses, tls: () => tlsTowardsApi(identity) };
  const desk = connectNodeApi(api);
  /** What the API says besides of itself, kept so that hostd still finds and knows it after a start. */
  const learn = (welcome: NodeWelcome) => {
    const { apiAddresses = [], authority, renewCertificate: isDue = false } = welcome;
    if (addresses.learn(apiAddresses)) keep({ apiAddresses });
    try {
      const trust = trustLearned(identity, authority);
      if (trust !== undefined) {
        keep(trust);
        log.info('authority of the API learned', trustSaid(identity));
      }
    } catch (error) {
      log.warn('what the API said of its authority cannot be used', { error: describeError(error) });
    }
    if (isDue) renewal?.now();
  };
  return {
    desk: {
      ...desk,
      async hello(hello, signal) {
        const welcome = await desk.hello({ ...hello, authority: trustSaid(identity) }, signal);
        learn(welcome);
        return welcome;
      },
    },
    giveRecording: (given, signal) => giveRecording(api, given, signal),
    nodeName: identity.nodeName,
    guestAddress: guestAddressOf(config),
    async open() {
      door = await openDoor(config, { clock, log, addresses, identity: () => identity });
      renewal = new Renewal({
        identity: () => identity,
        renew: (requestPem, signal) => renewCertificate(api, requestPem, signal),
        // Loaded once a month.
        newRequest: async () => (await import('./certificateRequest.ts')).newCertificateRequest(),
        keep,
        clock,
        log,
      });
      return {
        async close() {
          await Promise.all([renewal?.close(), door?.close()]);
        },
      };
    },
  };
}

interface Door {
  renew(identity: NodeIdentity): void;
  close(): Promise<void>;
}

async function openDoor(
  config: LinkConfig,
  at: { clock: Clock; log: Log; addresses: ApiAddresses; identity: () => NodeIdentity },
): Promise<Door> {
  const { guestSocket, guestListen } = config;
  if (guestListen !== undefined)
    return openTlsDoor({ listen: guestListen, identity: at.identity(), guestSocket, log: at.log });
  const tunnel = new Tunnel({ ...at, guestSocket });
  return {
    // Waiting connections were made with the former certificate and are good until they are used.
    renew: () => {},
    close: () => Promise.resolve(tunnel.close()),
  };
}

function guestAddressOf({ guestListen, guestAddress }: LinkConfig): string {
  if (guestListen === undefined) return 'tunnel:';
  const { hostname, port } = guestListen;
  return guestAddress ?? `https://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
}
