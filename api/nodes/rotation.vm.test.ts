import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askTls, helloBody, joinOverTls, newRequest, newToken } from '../testing/joiner.ts';
import { type TestApi, startTestApi } from '../testing/testApi.ts';
import { fingerprintOf } from './authority.ts';

let api: TestApi;
beforeEach(async () => {
  const nodeCaKey = randomBytes(32).toString('base64');
  api = await startTestApi({ config: { nodeCaKey, nodeListen: { tls: { hostname: '127.0.0.1', port: 0 } } } });
});
afterEach(() => api.stop());

interface State {
  generation: number;
  fingerprint: string;
  rotation: {
    step: string;
    waitsFor: { replicas: number; joinTokens: number; nodes: number; nodeIds: string[] };
  } | null;
}
const look = () => api.expect<State>('getNodeAuthority', 200, { method: 'GET', path: '/v1/nodes/authority' });
const rotate = (status = 200) =>
  api.expect<State>('rotateNodeAuthority', status, { method: 'POST', path: '/v1/nodes/authority/rotate' });
const stepOf = async () => (await look()).rotation?.step ?? 'over';
/** Replicas look again every ten seconds, or when they are woken. */
const patience = { timeout: 15_000 };
const untilStep = (step: string) => expect.poll(stepOf, patience).toBe(step);

/** As after a crash: another process on the same rows and the same home. */
async function restart(more: Partial<TestApi['config']> = {}): Promise<void> {
  await api.api.stop(100);
  api = await startTestApi({ config: { ...api.config, ...more } });
}

/** A replica that says of itself what it is told to. */
async function startOther(row: { generation: number; shownGeneration: number }) {
  const write = (values: object) =>
    api.api.services.database.write(({ db }) =>
      db
        .insertInto('replicas')
        .values({ id: 'rep_other', address: '', heardMs: Date.now() + 3_600_000, ...row, ...values })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
        .execute(),
    );
  await write(row);
  return {
    says: async (values: Partial<typeof row>) => {
      await write(values);
      await api.api.services.database.write(async (transaction) => transaction.wake('authorities'));
    },
  };
}

/** A node that learns as hostd does, or not at all as an older hostd. */
async function startNode(name: string, learns = true) {
  const node = await joinOverTls(api, name);
  let trust = { generation: 0, certificates: [node.tls.ca] };
  const said = () => ({ generation: trust.generation, fingerprints: trust.certificates.map(fingerprintOf) });
  const hello = (generation?: number) =>
    askTls(api, '/node/v1/hello', {
      tls: node.tls,
      body: helloBody(
        name,
        learns ? { authority: { ...said(), ...(generation === undefined ? {} : { generation }) } } : {},
      ),
    });
  return {
    ...node,
    hello,
    async says(): Promise<{ authority?: typeof trust; renewCertificate?: boolean }> {
      const answer = await hello();
      const welcome = (await answer.json()) as { authority?: typeof trust; renewCertificate?: boolean };
      if (!learns) return welcome;
      if (welcome.authority) {
        trust = welcome.authority;
        node.tls = { ...node.tls, ca: trust.certificates.join('\n') };
      }
      if (welcome.renewCertificate) await this.renews();
      return welcome;
    },
    async renews(): Promise<void> {
      const { requestPem, keyPem } = await newRequest();
      const body = { certificateRequest: requestPem };
      const answer = await askTls(api, '/node/v1/certificate', { tls: node.tls, body });
      const { certificate } = (await answer.json()) as { certificate: string };
      node.tls = { ...node.tls, cert: certificate, key: keyPem };
    },
    trusts: () => trust.certificates.length,
  };
}

test('both authorities are replaced step by step, over a restart at each', { timeout: 90_000 }, async () => {
  const node = await startNode('node');
  await node.says();
  expect(await node.says(), 'nothing has to be said').not.toHaveProperty('authority');
  const before = await look();
  expect(before).toMatchObject({ generation: 1, rotation: null });
  const other = await startOther({ generation: 1, shownGeneration: 1 });
  expect((await rotate()).rotation).toMatchObject({ step: 'spreading' });
  await rotate(409);

  await restart();
  await expect.poll(async () => (await look()).rotation!.waitsFor, patience).toMatchObject({ replicas: 1 });
  expect(await node.says()).toMatchObject({ authority: { generation: 2 } });
  expect(node.trusts()).toBe(2);
  expect(await node.says(), 'a replica would not know the new certificate yet').not.toHaveProperty('renewCertificate');
  await other.says({ generation: 2 });
  await untilStep('renewing');

  await restart();
  expect((await look()).rotation!.waitsFor).toMatchObject({ replicas: 0, nodes: 1, nodeIds: [node.nodeId] });
  expect(await node.says()).toMatchObject({ renewCertificate: true });
  await node.says();
  await untilStep('switching');

  await restart();
  expect((await look()).rotation!.waitsFor).toMatchObject({ replicas: 1, nodes: 0 });
  expect((await node.hello()).status, 'it knows the replica that shows the new certificate').toBe(200);
  await other.says({ shownGeneration: 2 });
  await untilStep('over');

  await restart();
  const after = await look();
  expect(after).toMatchObject({ generation: 2, rotation: null });
  expect(after.fingerprint).not.toBe(before.fingerprint);
  await node.says();
  expect(node.trusts()).toBe(1);
  expect((await node.hello()).status).toBe(200);
  const { read } = api.api.services.database;
  expect(await read.selectFrom('authorities').select('generation').execute()).toEqual([
    { generation: 2 },
    { generation: 2 },
  ]);
  // And once more: what was second is first now.
  await other.says({ generation: 3, shownGeneration: 3 });
  await rotate();
  await untilStep('renewing');
  for (let count = 0; count < 3; count++) await node.says();
  await untilStep('over');
  expect(await look()).toMatchObject({ generation: 3 });
  expect((await joinOverTls(api, 'later')).tls.ca).toContain('BEGIN CERTIFICATE');
});

test(
  'a node that does not learn is waited for, and left behind at the deadline; a token lets it back',
  { timeout: 60_000 },
  async () => {
    const old = await startNode('old', false);
    const good = await startNode('good');
    for (const node of [old, good]) await node.says();
    await rotate();
    await untilStep('renewing');
    await old.renews();
    for (let count = 0; count < 3; count++) for (const node of [old, good]) await node.says();
    expect((await look()).rotation!.waitsFor.nodeIds).toEqual([old.nodeId]);
    await api.api.services.database.write(async (transaction) => {
      await transaction.db
        .updateTable('authorityGenerations')
        .set({ deadlineMs: 1 })
        .where('generation', '=', 2)
        .execute();
      transaction.wake('authorities');
    });
    await untilStep('over');
    await expect(old.hello()).rejects.toThrow(/verif|certificate|closed|reset/i);
    expect((await good.hello()).status).toBe(200);
    const again = await joinOverTls(api, 'old', await newToken(api, { nodeId: old.nodeId }));
    expect(again.nodeId).toBe(old.nodeId);
    expect((await askTls(api, '/node/v1/hello', { tls: again.tls, body: helloBody('old') })).status).toBe(200);
  },
);

test('a certificate of the dropped authority opens nothing', { timeout: 60_000 }, async () => {
  const node = await startNode('node');
  await node.says();
  const stolen = { ...node.tls };
  await rotate();
  await untilStep('renewing');
  for (let count = 0; count < 3; count++) await node.says();
  await untilStep('over');
  // Who stole it knows the API by now; it does not know him.
  const tls = { ...stolen, ca: api.api.services.authority!.replicasPem };
  const tries = () =>
    askTls(api, '/node/v1/hello', { tls, body: helloBody('node') }).then(
      ({ status }) => String(status),
      (error: Error) => error.message,
    );
  // The listener learns of the row a moment after it is written.
  await expect.poll(tries, { timeout: 10_000 }).toMatch(/closed|reset|refused/i);
});

test('a token that nobody has used yet is waited for', { timeout: 60_000 }, async () => {
  const token = await newToken(api);
  await rotate();
  await untilStep('renewing');
  expect((await look()).rotation!.waitsFor).toMatchObject({ joinTokens: 1, nodes: 0 });
  const late = await joinOverTls(api, 'late', token);
  expect(late.nodeId).toMatch(/^nod_/);
  expect((await look()).rotation!.waitsFor).toMatchObject({ joinTokens: 0, nodes: 1 });
});

test(
  'a replica that is behind tells a node nothing, and two that begin at once begin one',
  { timeout: 60_000 },
  async () => {
    const node = await startNode('node');
    expect(await (await node.hello(9)).json()).not.toHaveProperty('authority');
    const path = '/v1/nodes/authority/rotate';
    const answers = await Promise.all([api.ask('POST', path), api.ask('POST', path), api.ask('POST', path)]);
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([200, 409, 409]);
  },
);

test('who may only read nodes begins none', async () => {
  const body = { name: 'reader', capabilities: ['nodes:read'] };
  const { secret } = await api.expect<{ secret: string }>('createKey', 201, { method: 'POST', path: '/v1/keys', body });
  await api.expect('rotateNodeAuthority', 403, { method: 'POST', path: '/v1/nodes/authority/rotate', secret });
  await api.expect('getNodeAuthority', 200, { method: 'GET', path: '/v1/nodes/authority', secret });
});

test(
  'the key that seals them is replaced with the former one beside it, and then needs it no more',
  { timeout: 60_000 },
  async () => {
    const { nodeCaKey: former } = api.config;
    const { fingerprint } = await look();
    const nodeCaKey = randomBytes(32).toString('base64');
    await api.api.stop(100);
    await expect(startTestApi({ config: { ...api.config, nodeCaKey } })).rejects.toThrow(
      'LEBUREAU_NODE_CA_FORMER_KEY_FILE',
    );
    api = await startTestApi({ config: { ...api.config, nodeCaKey, nodeCaFormerKey: former } });
    expect(await look()).toMatchObject({ fingerprint });
    await restart({ nodeCaFormerKey: undefined });
    expect(await look()).toMatchObject({ fingerprint });
    await api.api.stop(100);
    await expect(startTestApi({ config: { ...api.config, nodeCaKey: former } })).rejects.toThrow(
      'sealed with another key',
    );
    api = await startTestApi({ config: api.config });
  },
);
