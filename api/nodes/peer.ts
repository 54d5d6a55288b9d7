/** Who speaks on a node listener. */
export type Peer =
  /** Hostd of this machine: only our own user may open the Unix socket. */
  | { kind: 'local' }
  /** A node that joined, by the certificate we gave it. */
  | { kind: 'node'; nodeId: string; serial: string }
  /** Another replica of the API. */
  | { kind: 'replica' }
  /** Nobody yet: came over TLS without a certificate. */
  | { kind: 'stranger' };

/** The names that our authorities carry, with a number from the second generation on; a verified chain ends in one of them. */
export const authorityNames = { nodes: 'Le Bureau nodes', replicas: 'Le Bureau API' } as const;

/** The one name that every replica's certificate carries. Its authority signs nothing else, so hosts do not matter. */
export const replicaName = 'api.lebureau.internal';

/** What Node and Bun tell of a peer's certificate. */
interface CertificateSeen {
  subject?: { CN?: string | string[] };
  issuer?: { CN?: string | string[] };
  serialNumber?: string;
}

/** @param certificate of a chain that was verified. @returns undefined for one that none of ours should have */
export function peerOf(certificate: CertificateSeen): Peer | undefined {
  const { subject, issuer, serialNumber } = certificate;
  const name = subject?.CN;
  if (typeof name !== 'string' || serialNumber === undefined) return undefined;
  const issuedBy = typeof issuer?.CN === 'string' ? issuer.CN.replace(/ [1-9]\d*$/, '') : undefined;
  if (issuedBy === authorityNames.nodes) return { kind: 'node', nodeId: name, serial: serialNumber.toLowerCase() };
  if (issuedBy === authorityNames.replicas && name === replicaName) return { kind: 'replica' };
  return undefined;
}
