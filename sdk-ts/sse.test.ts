import { expect, test } from 'vitest';
import { LeBureau } from './client.ts';
import { parseEvents } from './sse.ts';

const encoder = new TextEncoder();

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

test('events are the same however the bytes are cut', async () => {
  const text =
    ': hello\r\n\r\nid: 1\r\nevent: a\r\ndata: {"t":"é€"}\r\n\r\nid: 2\ndata: x\ndata:y\nretry: 50\n\n\ndata: unfinished';
  const bytes = encoder.encode(text);
  const expected = [
    { id: '1', event: 'a', data: '{"t":"é€"}', retryMs: undefined },
    { id: '2', event: 'message', data: 'x\ny', retryMs: 50 },
  ];
  for (let size = 1; size < 40; size++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    expect(await Array.fromAsync(parseEvents(streamOf(...chunks)))).toEqual(expected);
  }
});

test('a stream that breaks is opened again after the last event, and ends with its signal', async () => {
  const asked: (string | null)[] = [];
  const controller = new AbortController();
  const answers = [
    () => streamOf(encoder.encode('id: 7\ndata: {"id":"evt_1"}\n\n')),
    () => streamOf(encoder.encode('id: 8\ndata: {"id":"evt_2"}\n\n')),
  ];
  const bureau = new LeBureau({
    apiKey: 'k',
    fetch: async (_url, init) => {
      asked.push(new Headers(init.headers).get('last-event-id'));
      return new Response(answers[asked.length - 1]?.(), { headers: { 'content-type': 'text/event-stream' } });
    },
  });
  const seen: string[] = [];
  for await (const event of bureau.events.stream({ lastEventId: '6', signal: controller.signal })) {
    seen.push(event.id);
    if (seen.length === 2) controller.abort();
  }
  expect(seen).toEqual(['evt_1', 'evt_2']);
  expect(asked).toEqual(['6', '7']);
});

test('a started command is followed to its end over broken connections', async () => {
  const piece = (id: string, data: string) =>
    `id: ${id}\nevent: stdout\ndata: {"data":"${data}","offset":0,"nextOffset":1}\n\n`;
  const answers = [
    `${piece('0,1', 'a')}: ping\n\n`,
    `${piece('0,2', 'b')}id: 0,3\nevent: exit\ndata: {"exitCode":7}\n\n`,
  ];
  const asked: (string | null)[] = [];
  const bureau = new LeBureau({
    apiKey: 'k',
    fetch: async (_url, init) => {
      asked.push(new Headers(init.headers).get('last-event-id'));
      return new Response(streamOf(encoder.encode(answers[asked.length - 1])));
    },
  });
  const said: string[] = [];
  for await (const event of bureau.desktop('dsk_1').processes.follow('prc_1')) {
    said.push(event.type === 'exit' ? `exit ${event.process.exitCode}` : event.text);
  }
  expect(said).toEqual(['a', 'b', 'exit 7']);
  expect(asked).toEqual([null, '0,1']);
});
