import 'reflect-metadata';
import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

export interface LanCertificate {
  certificate: string;
  key: string;
  /** SHA-256, as browsers show it. */
  fingerprint: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
/** Browsers refuse certificates that live longer. */
const days = 397;
const renewedBeforeMs = 30 * dayMs;

/**
 * A certificate that this machine signs for itself, kept in `<home>/lan`: whoever compared its fingerprint once knows it
 * again. A new one is made when the address changed or it ends soon.
 */
export async function lanCertificate(home: string, address: string, nowMs: number): Promise<LanCertificate> {
  const folder = join(home, 'lan');
  const [certificatePath, keyPath] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  if (!(existsSync(keyPath) && isGood(certificatePath, address, nowMs))) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const made = await make(address, nowMs);
    // The certificate last: it says that the key is there.
    write(keyPath, made.key);
    write(certificatePath, made.certificate);
  }
  const certificate = readFileSync(certificatePath, 'utf8');
  return { certificate, key: readFileSync(keyPath, 'utf8'), fingerprint: fingerprintOf(certificate) };
}

function isGood(path: string, address: string, nowMs: number): boolean {
  if (!existsSync(path)) return false;
  const certificate = new X509Certificate(readFileSync(path));
  return certificate.checkIP(address) !== undefined && Date.parse(certificate.validTo) > nowMs + renewedBeforeMs;
}

async function make(address: string, nowMs: number): Promise<{ certificate: string; key: string }> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `00${randomBytes(16).toString('hex')}`,
    name: 'CN=Le Bureau',
    notBefore: new Date(nowMs - dayMs),
    notAfter: new Date(nowMs + days * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: address },
        { type: 'dns', value: 'localhost' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n`;
  return { certificate: certificate.toString('pem'), key };
}

function fingerprintOf(pem: string): string {
  const digest = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex').toUpperCase();
  return digest.match(/../g)!.join(':');
}

function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
