import { X509Certificate } from 'node:crypto';
import { systemClock } from '@lebureau/kit/clock';
import { makeCertificates } from '@lebureau/test/pve/certificate';
import { expect, test } from 'vitest';
import { joinApi } from './joinApi.ts';
import { apiServerName } from './nodeIdentity.ts';

test('an authority that is sent behind the right one is not trusted, and the secret is not said to it', async () => {
  const right = makeCertificates();
  const evil = makeCertificates(apiServerName, 'somebody else');
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { cert: evil.certificate, key: evil.key },
    async fetch(request) {
      asked.push(`${new URL(request.url).pathname} ${await request.text()}`);
      return Response.json({ authority: `${right.ca}\n${evil.ca}`, certificate: 'x', nodeId: 'nod_x', expiresAtMs: 1 });
    },
  });
  const fingerprint = new X509Certificate(right.ca).fingerprint256.replaceAll(':', '').toLowerCase();
  const token = `lbj_${'s'.repeat(43)}.${fingerprint}`;
  const wish = { apiAddress: `https://127.0.0.1:${server.port}`, token, nodeName: 'node-2' };
  await expect(joinApi(wish, systemClock)).rejects.toMatchObject({ code: 'api_unreachable' });
  expect(asked).toEqual(['/node/v1/authority ']);
  await server.stop(true);
});
