import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'Ed25519' } as const;

/** A new key pair and the request (PKCS #10) to certify it. The API decides upon the name. */
export async function newCertificateRequest(): Promise<{ requestPem: string; privateKeyPem: string }> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['node'] }],
    keys,
    // The types know only the older algorithms.
    signingAlgorithm: algorithm as never,
  });
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
  return {
    requestPem: request.toString('pem'),
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
