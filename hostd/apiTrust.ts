import { X509Certificate } from 'node:crypto';
import type { NodeHello, NodeWelcome } from './orders.ts';
import type { NodeIdentity } from './nodeIdentity.ts';

type Trust = Pick<NodeIdentity, 'authority' | 'authorityGeneration'>;

const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** By what this node knows the API, as its hello says it. */
export function trustSaid(identity: Trust): NonNullable<NodeHello['authority']> {
  const certificates = identity.authority.match(pemPattern) ?? [];
  return {
    generation: identity.authorityGeneration ?? 0,
    fingerprints: certificates.map((pem) => new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()),
  };
}

/**
 * What the API said over a connection that was known by what is trusted now. A replica that is behind the others says
 * nothing that counts. @returns undefined when nothing changes. @throws Error for what is no certificate
 */
export function trustLearned(identity: Trust, said: NodeWelcome['authority']): Trust | undefined {
  if (said === undefined || said.certificates.length === 0) return undefined;
  if (said.generation < (identity.authorityGeneration ?? 0)) return undefined;
  // Each alone: what else stands in the text is not trusted.
  const certificates = said.certificates.map((pem) => new X509Certificate(pem).toString().trim());
  return { authority: `${certificates.join('\n')}\n`, authorityGeneration: said.generation };
}
