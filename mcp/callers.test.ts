import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { Callers } from './callers.ts';
import { listen } from './listen.ts';

/** What the gateway does for a client that came by OAuth: an assertion, and a new one before it is over. */
const grantOf: Readonly<Record<string, string>> = { 'a.1.x': 'grt_a', 'a.2.x': 'grt_a', 'b.1.x': 'grt_b' };

test('a session goes on with the newest assertion of its grant, and of no other', async () => {
  const asked: string[] = [];
  const over = new Set<string>();
  const api = await listen(
    async (request) => {
      const bearer = request.headers.get('authorization')!.slice('Bearer '.length);
      const { pathname } = new URL(request.url);
      asked.push(`${bearer} ${pathname}`);
      if (over.has(bearer)) return new Response('{}', { status: 401 });
      if (pathname === '/v1/me')
        return Response.json({ grant: { id: grantOf[bearer] }, capabilities: ['desktop:read'] });
      return Response.json({ data: [], nextCursor: null });
    },
    { host: '127.0.0.1', port: 0 },
  );
  try {
    const callers = new Callers(`http://127.0.0.1:${api.port}`, systemClock);
    const opened = (await callers.find('a.1.x'))!;
    over.add('a.1.x');
    const renewed = (await callers.find('a.2.x'))!;
    const other = (await callers.find('b.1.x'))!;
    expect([renewed.id === opened.id, other.id === opened.id]).toEqual([true, false]);
    asked.length = 0;
    await opened.bureau.desktops.list();
    await other.bureau.desktops.list();
    expect(asked).toEqual(['a.2.x /v1/desktops', 'b.1.x /v1/desktops']);
  } finally {
    await api.close(0);
  }
});
