import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { TestApi } from './testApi.ts';

/** A machine that becomes a node over TLS, for tests; it makes its own keys as hostd does. */
export interface JoinedNode {
  nodeId: string;
  name: string;
  tls: { ca: string; cert: string; key: string };
}

export async function newRequest(): Promise<{ requestPem: string; keyPem: string }> {
  const algorithm = { name: 'Ed25519' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=somebody else',
    keys,
    signingAlgorithm: algorithm as never,
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { requestPem: request.toString('pem'), keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}

export async function newToken(api: TestApi, body: object = {}): Promise<string> {
  const created = await api.expect<{ token: string }>('createJoinToken', 201, {
    method: 'POST',
    path: '/v1/nodes/join-tokens',
    body,
  });
  return created.token;
}

/** One call of the node contract over TLS. */
export function askTls(api: TestApi, path: string, options: { tls?: object; body?: unknown } = {}): Promise<Response> {
  return fetch(`https://127.0.0.1:${api.api.nodeTlsPort}${path}`, {
    tls: { ca: api.api.services.authority!.replicasPem, checkServerIdentity: () => undefined, ...options.tls },
    ...(options.body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(options.body) }),
  } as RequestInit);
}

export async function joinOverTls(api: TestApi, name: string, token?: string): Promise<JoinedNode> {
  const { requestPem, keyPem } = await newRequest();
  const body = { token: token ?? (await newToken(api)), nodeName: name, certificateRequest: requestPem };
  const answer = await askTls(api, '/node/v1/join', { body });
  if (answer.status !== 201) throw new Error(`join answered ${answer.status}: ${await answer.text()}`);
  const { nodeId, certificate } = (await answer.json()) as { nodeId: string; certificate: string };
  const { authority } = (await (await askTls(api, '/node/v1/authority')).json()) as { authority: string };
  return { nodeId, name, tls: { ca: authority, cert: certificate, key: keyPem } };
}

export function helloBody(name: string, change: object = {}): object {
  return {
    nodeName: name,
    version: '0.0.0',
    guestAddress: 'tunnel:',
    driver: 'fake',
    accelerator: 'none',
    acceleratorReason: '',
    hypervisorVersion: '',
    vcpus: 4,
    memoryMiB: 8192,
    diskFreeMiB: 100_000,
    network: 'none',
    networkReason: '',
    templates: [],
    ...change,
  };
}
