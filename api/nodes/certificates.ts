import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { Fault } from '@lebureau/kit/fault';
import * as x509 from '@peculiar/x509';

/** Certificates as we make them. Keys of authorities and replicas are on P-256; a node brings whatever TLS knows. */

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
/** Clocks of nodes may be behind ours. */
const backdatedMs = 900_000;
const authorityDays = 3650;

export interface KeyAndCertificate {
  certificatePem: string;
  /** PKCS #8, PEM. */
  privateKeyPem: string;
}

export interface SignedCertificate {
  certificatePem: string;
  /** Hexadecimal, lower case. */
  serial: string;
  expiresMs: number;
}

export async function makeAuthority(commonName: string, nowMs: number): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: nameOf(commonName),
    notBefore: new Date(nowMs - backdatedMs),
    notAfter: new Date(nowMs + authorityDays * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return { certificatePem: certificate.toString('pem'), privateKeyPem: await privatePemOf(keys) };
}

/** A key pair and its certificate, signed by the authority; the name is also that of a host, as TLS clients check it. */
export async function makeLeaf(
  authority: KeyAndCertificate,
  leaf: { commonName: string; nowMs: number; days: number },
): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const hostName = leaf.commonName;
  const { certificatePem } = await sign(authority, { ...leaf, hostName, publicKey: keys.publicKey });
  return { certificatePem, privateKeyPem: await privatePemOf(keys) };
}

/**
 * Signs the key of a request (PKCS #10) for the name that we say; the one it asks for does not count.
 * @throws Fault `invalid_request` when the request does not prove that its sender has the key
 */
export async function signRequest(
  authority: KeyAndCertificate,
  leaf: { requestPem: string; commonName: string; nowMs: number; days: number },
): Promise<SignedCertificate> {
  const request = await verified(leaf.requestPem);
  return sign(authority, { ...leaf, publicKey: request.publicKey });
}

async function verified(requestPem: string): Promise<x509.Pkcs10CertificateRequest> {
  try {
    const request = new x509.Pkcs10CertificateRequest(requestPem);
    if (await request.verify()) return request;
  } catch (error) {
    throw new Fault('invalid_request', 'The certificate request cannot be read.', { cause: error });
  }
  throw new Fault('invalid_request', 'The certificate request is not signed by its own key.');
}

async function sign(
  authority: KeyAndCertificate,
  leaf: { commonName: string; hostName?: string; nowMs: number; days: number; publicKey: x509.PublicKeyType },
): Promise<SignedCertificate> {
  const serial = newSerial();
  // Certificates know whole seconds.
  const expiresMs = Math.floor((leaf.nowMs + leaf.days * dayMs) / 1000) * 1000;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: nameOf(leaf.commonName),
    issuer: new x509.X509Certificate(authority.certificatePem).subjectName,
    notBefore: new Date(leaf.nowMs - backdatedMs),
    notAfter: new Date(expiresMs),
    publicKey: leaf.publicKey,
    signingKey: await privateKeyOf(authority.privateKeyPem),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]),
      ...(leaf.hostName === undefined
        ? []
        : [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: leaf.hostName }])]),
    ],
  });
  return { certificatePem: certificate.toString('pem'), serial, expiresMs };
}

function newKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;
}

async function privatePemOf(keys: CryptoKeyPair): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return x509.PemConverter.encode(bytes, 'PRIVATE KEY');
}

function privateKeyOf(pem: string): Promise<CryptoKey> {
  const bytes = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', bytes, algorithm, false, ['sign']) as Promise<CryptoKey>;
}

function nameOf(commonName: string): x509.JsonName {
  return [{ CN: [commonName] }];
}

/** Positive and never shortened: the first byte is 01 to 7f. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x01;
  return bytes.toString('hex');
}
