import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

export interface Certificates {
  /** PEM of the authority: what `/etc/pve/pve-root-ca.pem` is. */
  ca: string;
  certificate: string;
  key: string;
  /** SHA-256 of the server's certificate, as PVE writes it: `AA:BB:…`. */
  fingerprint: string;
}

const oids = {
  commonName: '550403',
  ecdsaSha256: '2a8648ce3d040302',
  basicConstraints: '551d13',
  subjectAltName: '551d11',
};

function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | size.length]), size, body]);
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts);
const oid = (hex: string) => der(6, Buffer.from(hex, 'hex'));
const named = (name: string) => sequence(der(0x31, sequence(oid(oids.commonName), der(0x0c, Buffer.from(name)))));
const time = (year: number) => der(0x18, Buffer.from(`${year}0101000000Z`));

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(1, Buffer.from([0xff])), der(4, value));
}

function certificate(one: {
  subject: string;
  issuer: string;
  key: KeyObject;
  signer: KeyObject;
  extensions: Buffer[];
}): Buffer {
  const algorithm = sequence(oid(oids.ecdsaSha256));
  const serial = randomBytes(9);
  serial[0] = 1;
  const body = sequence(
    der(0xa0, der(2, Buffer.from([2]))),
    der(2, serial),
    algorithm,
    named(one.issuer),
    sequence(time(2020), time(2090)),
    named(one.subject),
    one.key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...one.extensions)),
  );
  const signature = sign('sha256', body, one.signer);
  return sequence(body, algorithm, der(3, Buffer.from([0]), signature));
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** An authority and a server certificate for this name and the loopback addresses, made anew for each double. */
export function makeCertificates(name = 'localhost', issuer = 'Proxmox Virtual Environment (double)'): Certificates {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ca = certificate({
    subject: issuer,
    issuer,
    key: authority.publicKey,
    signer: authority.privateKey,
    extensions: [extension(oids.basicConstraints, sequence(der(1, Buffer.from([0xff]))))],
  });
  const names = sequence(
    der(0x82, Buffer.from(name)),
    der(0x87, Buffer.from([127, 0, 0, 1])),
    der(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])])),
  );
  const own = certificate({
    subject: name,
    issuer,
    key: server.publicKey,
    signer: authority.privateKey,
    extensions: [extension(oids.subjectAltName, names)],
  });
  const hash = createHash('sha256').update(own).digest('hex').toUpperCase();
  return {
    ca: pem(ca),
    certificate: pem(own),
    key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: (hash.match(/../g) ?? []).join(':'),
  };
}
