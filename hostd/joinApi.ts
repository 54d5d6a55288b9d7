import { X509Certificate } from 'node:crypto';
import type { Clock } from '@lebureau/kit/clock';
import { Fault, isFault } from '@lebureau/kit/fault';
import { newCertificateRequest } from './certificateRequest.ts';
import { type NodeIdentity, tlsTowardsApi } from './nodeIdentity.ts';
import { askApi } from './nodeapi.ts';

const callLimitMs = 15_000;
const tokenPattern = /^lbj_[A-Za-z0-9_-]{43}\.([0-9a-f]{64})$/;

interface Joined {
  nodeId: string;
  certificate: string;
  expiresAtMs: number;
  apiAddresses?: readonly string[];
}

/**
 * Becomes a node of the API at the first of these addresses (by comma) that answers. The token carries the fingerprint of the certificate by which the API is
 * known, so the secret is said to nobody else. @throws Fault `join_refused`, `wrong_api`, `api_unreachable`
 */
export async function joinApi(
  wish: { apiAddress: string; token: string; nodeName: string },
  clock: Clock,
): Promise<NodeIdentity> {
  const { apiAddress, token, nodeName } = wish;
  const fingerprint = tokenPattern.exec(token)?.[1];
  if (fingerprint === undefined) throw new Fault('join_refused', 'That is no join token: it is mistyped or cut off.');
  const { requestPem, privateKeyPem } = await newCertificateRequest();
  const body = { token, nodeName, certificateRequest: requestPem };
  const { authority, joined } = await firstThatAnswers(apiAddress.split(','), async (address) => {
    const authority = await trueAuthority(address, fingerprint);
    const request = { signal: AbortSignal.timeout(callLimitMs), body };
    const joined = await askApi<Joined>({ address, tls: tlsTowardsApi({ authority }) }, '/node/v1/join', request);
    return { authority, joined };
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
    apiAddresses: joined.apiAddresses,
  };
}

/** @throws what the last one did, when none answers */
async function firstThatAnswers<Answer>(
  addresses: readonly string[],
  ask: (address: string) => Promise<Answer>,
): Promise<Answer> {
  for (const address of addresses.slice(0, -1)) {
    try {
      return await ask(address);
    } catch (error) {
      if (!isFault(error, 'api_unreachable')) throw error;
    }
  }
  return ask(addresses.at(-1)!);
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
