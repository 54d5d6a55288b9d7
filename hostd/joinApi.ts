import { X509Certificate } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { newCertificateRequest } from './certificateRequest.ts';
import { type NodeIdentity, tlsTowardsApi } from './nodeIdentity.ts';
import { askApi } from './nodeapi.ts';

const callLimitMs = 15_000;
const tokenPattern = /^lbj_[A-Za-z0-9_-]{43}\.([0-9a-f]{64})$/;

interface Joined {
  nodeId: string;
  certificate: string;
  expiresAtMs: number;
}

/**
 * Becomes a node of the API at this address. The token carries the fingerprint of the certificate by which the API is
 * known, so the secret is said to nobody else. @throws Fault `join_refused`, `wrong_api`, `api_unreachable`
 */
export async function joinApi(
  wish: { apiAddress: string; token: string; nodeName: string },
  clock: Clock,
): Promise<NodeIdentity> {
  const { apiAddress, token, nodeName } = wish;
  const fingerprint = tokenPattern.exec(token)?.[1];
  if (fingerprint === undefined) throw new Fault('join_refused', 'That is no join token: it is mistyped or cut off.');
  const authority = await trueAuthority(apiAddress, fingerprint);
  const { requestPem, privateKeyPem } = await newCertificateRequest();
  const joined = await askApi<Joined>({ address: apiAddress, tls: tlsTowardsApi({ authority }) }, '/node/v1/join', {
    signal: AbortSignal.timeout(callLimitMs),
    body: { token, nodeName, certificateRequest: requestPem },
  });
  return {
    nodeId: joined.nodeId,
    nodeName,
    apiAddress,
    authority,
    certificate: joined.certificate,
    privateKey: privateKeyPem,
    issuedAtMs: clock.nowMs(),
    expiresAtMs: joined.expiresAtMs,
  };
}

/** Read over a connection that proves nothing yet, and kept only when it is what the token says. */
async function trueAuthority(address: string, fingerprint: string): Promise<string> {
  const { authority } = await askApi<{ authority: string }>(
    { address, tls: { rejectUnauthorized: false } },
    '/node/v1/authority',
    { signal: AbortSignal.timeout(callLimitMs) },
  );
  const certificate = new X509Certificate(authority);
  // That one certificate and nothing else of what was sent: a second one behind it would be trusted, too.
  if (certificate.fingerprint256.replaceAll(':', '').toLowerCase() === fingerprint) return certificate.toString();
  throw new Fault('wrong_api', `${address} is not the API that made this token. Check the address.`);
}
