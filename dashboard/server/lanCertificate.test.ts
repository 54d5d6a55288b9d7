import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lanCertificate } from './lanCertificate.ts';

const home = mkdtempSync(join(tmpdir(), 'lb-lan-'));
afterAll(() => rmSync(home, { recursive: true }));
const nowMs = Date.now();

test('a certificate is made once, serves TLS for its address, and is made anew when it must be', async () => {
  const first = await lanCertificate(home, '127.0.0.1', nowMs);
  expect(await lanCertificate(home, '127.0.0.1', nowMs)).toEqual(first);
  expect(statSync(join(home, 'lan', 'key.pem')).mode & 0o777).toBe(0o600);
  const server = Bun.serve({
    port: 0,
    tls: { cert: first.certificate, key: first.key },
    fetch: () => new Response('here'),
  });
  const answer = await fetch(`https://127.0.0.1:${server.port}/`, { tls: { ca: first.certificate } } as RequestInit);
  expect(await answer.text()).toBe('here');
  await server.stop(true);
  expect(new X509Certificate(first.certificate).fingerprint256).toBe(first.fingerprint);
  expect((await lanCertificate(home, '127.0.0.2', nowMs)).fingerprint).not.toBe(first.fingerprint);
  const last = await lanCertificate(home, '127.0.0.2', nowMs);
  expect((await lanCertificate(home, '127.0.0.2', nowMs + 380 * 86_400_000)).fingerprint).not.toBe(last.fingerprint);
});
