import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isFileMissing } from './home.ts';
import { replaceDurably } from './replaceDurably.ts';

/** Who this node is to an API on another machine: the file `node-identity.json`, mode 600, replaced as a whole. */
export interface NodeIdentity {
  nodeId: string;
  nodeName: string;
  /** `https://host:port` of the API's node listener, as it was joined; several by comma. */
  apiAddress: string;
  /** What the API said of its replicas' addresses. */
  apiAddresses?: readonly string[];
  /** By which the API is known, PEM; several, one after the other, while it is replaced. */
  authority: string;
  /** Of the newest of them, as the API counts; absent: it has not said it yet. */
  authorityGeneration?: number;
  certificate: string;
  privateKey: string;
  issuedAtMs: number;
  expiresAtMs: number;
}

/** Every replica of the API carries this name; its authority signs nothing else, so hosts do not matter. */
const replicaName = 'api.lebureau.internal';

/** @returns undefined where this home has joined nothing */
export function readNodeIdentity(home: string): NodeIdentity | undefined {
  const path = join(home, 'node-identity.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as NodeIdentity;
  } catch (error) {
    if (isFileMissing(error)) return undefined;
    throw new Error(`${path} cannot be read. Join anew with a token that names this node.`, { cause: error });
  }
}

export function writeNodeIdentity(home: string, identity: NodeIdentity): void {
  replaceDurably(join(home, 'node-identity.json'), `${JSON.stringify(identity, null, 2)}\n`);
}

/** The TLS half of a call to the API. Equal options share connections, so nothing in here is made anew each time. */
export function tlsTowardsApi(identity: Pick<NodeIdentity, 'authority'> & Partial<NodeIdentity>) {
  return {
    ca: identity.authority,
    ...(identity.certificate === undefined ? {} : { cert: identity.certificate, key: identity.privateKey }),
    // fetch knows it by this name, and node:tls by the other.
    serverName: replicaName,
    servername: replicaName,
  };
}

/** The name of the server in the handshake. */
export const apiServerName = replicaName;
