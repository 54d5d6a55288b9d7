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
