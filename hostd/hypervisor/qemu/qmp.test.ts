import { Duplex, PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { isFault } from '@lebureau/kit/fault';
import { Qmp } from './qmp.ts';

/** A Qmp and the other end of its stream, which is whatever a QEMU might be. */
function connected(limits?: ConstructorParameters<typeof Qmp>[1]): { qmp: Qmp; far: Duplex; sent: () => Message[] } {
  const down = new PassThrough();
  const up = new PassThrough();
  const near = Duplex.from({ readable: down, writable: up });
  const far = Duplex.from({ readable: up, writable: down });
  far.on('error', () => {});
  let text = '';
  far.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const sent = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Message);
  return { qmp: new Qmp(near, limits), far, sent };
}

interface Message {
  execute: string;
  id: number;
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('commands go out together and answers find their askers, in pieces and with greeting and events between', async () => {
  const { qmp, far, sent } = connected();
  const events: string[] = [];
  qmp.onEvent = (event) => events.push(event.event);
  const status = qmp.execute('query-status');
  const version = qmp.execute('query-version');
  await settle();
  expect(sent().map((message) => message.execute)).toEqual(['qmp_capabilities', 'query-status', 'query-version']);
  const answer = Buffer.from(
    `{"QMP":{}}\r\n{"return":{},"id":1}\n{"event":"RESUME","data":{}}\n{"return":{"status":"läuft"},"id":2}\n{"return":7,"id":3}\n`,
  );
  for (const byte of answer) far.write(Buffer.from([byte]));
  expect(await status).toEqual({ status: 'läuft' });
  expect(await version).toBe(7);
  expect(events).toEqual(['RESUME']);
  qmp.close();
});

test('a refusal is a Fault with the reason', async () => {
  const { qmp, far } = connected();
  const answer = qmp.execute('cont');
  far.write('{"id":2,"error":{"class":"GenericError","desc":"no"}}\n');
  await expect(answer).rejects.toMatchObject({ code: 'hypervisor_failed', message: 'QEMU refused cont: no' });
  qmp.close();
});

test('silence ends in a Fault, and a late answer harms nobody', async () => {
  const { qmp, far } = connected({ commandTimeoutMs: 20 });
  await expect(qmp.execute('query-status')).rejects.toMatchObject({ code: 'hypervisor_failed' });
  far.write('{"return":{},"id":2}\n');
  const next = qmp.execute('query-status', undefined, 2000);
  far.write('{"return":"third","id":3}\n');
  expect(await next).toBe('third');
  qmp.close();
});

test.each([
  ['an endless line', 'x'.repeat(5000)],
  ['a long line with an end', `"${'x'.repeat(5000)}"\n`],
  ['no JSON', 'SSH-2.0-OpenSSH\n'],
  ['JSON that is no object', '[1,2]\n'],
  ['null', 'null\n'],
])('%s ends the connection and every wait', async (_name, text) => {
  const { qmp, far } = connected({ lineMaxBytes: 4096 });
  let closed = 0;
  qmp.onClose = () => (closed += 1);
  const command = qmp.execute('query-status');
  const event = qmp.nextEvent(() => true, 5000);
  far.write(text);
  await expect(command).rejects.toSatisfy((error) => isFault(error, 'hypervisor_failed'));
  await expect(event).rejects.toSatisfy((error) => isFault(error, 'hypervisor_failed'));
  await expect(qmp.execute('query-status')).rejects.toSatisfy((error) => isFault(error, 'hypervisor_failed'));
  expect([qmp.closed, closed]).toEqual([true, 1]);
});

test('answers to ids that nobody asked and odd members are ignored', async () => {
  const { qmp, far } = connected();
  const answer = qmp.execute('query-status');
  far.write('{"return":1,"id":99}\n{"return":1,"id":"2"}\n{"event":5}\n{}\n{"return":"right","id":2}\n');
  expect(await answer).toBe('right');
  qmp.close();
});

test('commands in flight are limited', async () => {
  const { qmp } = connected({ commandsMax: 2 });
  const first = qmp.execute('query-status');
  await expect(qmp.execute('query-status')).rejects.toMatchObject({ message: 'QEMU has 2 commands unanswered' });
  qmp.close();
  await expect(first).rejects.toBeInstanceOf(Error);
});

test('a wait for an event takes the one that matches', async () => {
  const { qmp, far } = connected();
  const done = qmp.nextEvent((event) => event.data.status === 'completed', 2000);
  far.write('{"event":"MIGRATION","data":{"status":"active"}}\n{"event":"MIGRATION","data":{"status":"completed"}}\n');
  expect((await done).data.status).toBe('completed');
  await expect(qmp.nextEvent(() => true, 10)).rejects.toMatchObject({ code: 'hypervisor_failed' });
  qmp.close();
});

test('a stream that fails ends everything', async () => {
  const { qmp, far } = connected();
  const answer = qmp.execute('query-status');
  far.destroy(new Error('gone'));
  await expect(answer).rejects.toMatchObject({ code: 'hypervisor_failed' });
});
