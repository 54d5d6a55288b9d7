import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Service, startService } from '../system/product.ts';
import { signInAsOwner, type Visitor } from './browser.ts';
import { type ClientDocument, startClientDocument } from './clientDocument.ts';
import { askMcp, RawClient, redirectUri, type Tokens } from './oauthClient.ts';

/** A client that is named by its document, while the host of that document comes and goes. */

const folder = mkdtempSync(join(tmpdir(), 'lb-oauth-document-'));
let service: Service;
let document: ClientDocument;
let owner: Visitor;
let client: RawClient;
beforeAll(async () => {
  document = startClientDocument(folder, {
    client_name: 'Raw',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  service = await startService({
    programs: ['api', 'mcp', 'gateway'],
    gateway: () => ({
      LEBUREAU_CLIENT_METADATA_LOOPBACK: 'on',
      LEBUREAU_TRUSTED_PROXIES: '127.0.0.0/8,::1',
      NODE_EXTRA_CA_CERTS: document.caPath,
    }),
  });
  owner = await signInAsOwner(service);
  client = new RawClient(service, document.url);
});
afterAll(async () => {
  await service?.close();
  await document?.close();
  rmSync(folder, { recursive: true });
});

/** A gateway that remembers nothing: SIGKILL, and another one. */
async function anotherGateway(): Promise<void> {
  await service.kill('gateway');
  await service.start('gateway');
  const isUp = () =>
    fetch(`${service.publicUrl}/.well-known/oauth-authorization-server`).then(
      ({ ok }) => ok,
      () => false,
    );
  await expect.poll(isUp, { timeout: 20_000 }).toBe(true);
}
const refreshed = async (from: Tokens) => (await (await client.refresh(from.refresh_token)).json()) as Tokens;
const errorOf = async (response: Response) => ((await response.json()) as { error?: string }).error;
const statusAt = async ({ access_token: token }: Tokens) => {
  const response = await askMcp(service, token);
  await response.body?.cancel();
  return response.status;
};

test('a document that is not good is fetched once for a request', async () => {
  for (const answer of [
    () => new Response('', { status: 404 }),
    () => Response.json({ client_id: 'https://other.example/', redirect_uris: [redirectUri] }),
    () => Response.json({ client_id: document.url }),
  ]) {
    document.answerWith(answer);
    const before = document.asked();
    expect((await client.begin()).headers.get('location')).toBe('/app/authorize/refused');
    expect(document.asked() - before).toBe(1);
    await Bun.sleep(1000);
  }
  document.answerWith();
});

test('a client that was let in goes on while its host is away, and ends when its host says so', async () => {
  const first = await client.tokensFor(owner);
  await document.close();
  await anotherGateway();
  // Nobody is let in anew by what was said before.
  expect((await client.begin()).headers.get('location')).toBe('/app/authorize/refused');
  const second = await refreshed(first);
  expect(await statusAt(second)).toBe(200);
  expect((await client.begin()).headers.get('location')).toBe('/app/authorize/refused');

  document.open();
  document.answerWith((good) => Response.json({ ...good, redirect_uris: ['https://new.example/back'] }));
  await anotherGateway();
  const third = await refreshed(second);
  expect((await client.begin()).headers.get('location')).toBe('/app/authorize/refused');

  document.answerWith(() => new Response('', { status: 410 }));
  await anotherGateway();
  expect(await errorOf(await client.refresh(third.refresh_token))).toBe('invalid_client');
  // Also once it is away: what it said last is that there is none.
  await document.close();
  await anotherGateway();
  expect(await errorOf(await client.refresh(third.refresh_token))).toBe('invalid_client');
  document.open();
  document.answerWith();
  await anotherGateway();
  expect(await statusAt(await refreshed(third))).toBe(200);
});
