import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NodeDouble, startNodeDouble } from '../doubles/node.ts';
import { call, type Service, waitFor } from '../system/product.ts';
import { asPage, type Visitor } from './browser.ts';
import { type GuestPage, startGuestPage } from './guestPage.ts';
import { previewVisits } from './previewVisits.ts';

/** Ports of desktops in a browser, under attack from both sides: pages elsewhere, and the guest itself. */
export function describePreviews(at: () => { service: Service; owner: Visitor }): void {
  describe('previews', () => {
    let node: NodeDouble;
    let page: GuestPage;
    let rude: Server;
    let desktop: string;
    let other: string;
    let cookie: string;

    beforeAll(async () => {
      const { home } = at().service;
      const apiSocket = join(home, 'run', 'api-node.sock');
      node = await startNodeDouble({ apiSocket, guestSocket: join(home, 'run', 'double.sock') });
      page = startGuestPage();
      rude = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => socket.write(`X-More: ${'a'.repeat(60_000)}\r\n`), 1);
        socket.on('close', () => clearInterval(timer));
      });
      await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
      node.guest.ports.set(8080, page.port);
      node.guest.ports.set(3000, page.port);
      node.guest.ports.set(666, (rude.address() as { port: number }).port);
      [desktop, other] = [await ready(), await ready()];
      cookie = await enter(desktop, 8080);
    });
    afterAll(async () => {
      // The service would wait for them in vain once the node is gone.
      for (const id of [desktop, other]) await call(at().service, 'DELETE', `/v1/desktops/${id}`);
      await waitFor(
        async () => (await call(at().service, 'GET', '/v1/desktops')).body.data.length === 0,
        () => 'desktops were not deleted',
      );
      await node?.stop();
      await page?.stop();
      rude?.close();
    });

    async function ready(): Promise<string> {
      const made = await call(at().service, 'POST', { path: '/v1/desktops', body: { network: 'none' } });
      await call(at().service, 'GET', `/v1/desktops/${made.body.id}?waitFor=ready&timeoutSeconds=20`);
      return made.body.id as string;
    }

    const { hostOf, originOf, ask, ticketFor, open, admit, bring, cookieIn, enter, member } = previewVisits(at, () => ({
      desktop,
      cookie,
    }));
    const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code;

    test('a ticket of the desktop’s page becomes a cookie of that origin, once', async () => {
      const ticket = await ticketFor(desktop, 8080);
      const entered = await open(ticket, { id: desktop, port: 8080 });
      expect([entered.status, entered.headers.get('location')]).toEqual([303, '/']);
      const [set = ''] = entered.headers.getSetCookie();
      for (const part of ['__Host-lb_preview=', 'HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/', 'Max-Age=43200'])
        expect(set).toContain(part);
      expect(set).not.toContain('Domain');
      expect((await open(ticket, { id: desktop, port: 8080 })).status).toBe(401);
      const again = await open(ticket, { id: desktop, port: 8080 }, navigation);
      expect(again.headers.get('location')).toBe(`${at().service.publicUrl}/app/desktops/${desktop}/ports?port=8080`);
      expect(await (await ask('/where?q=1')).text()).toBe('/where?q=1');
    });

    const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site' };

    test('nobody brings another browser into a preview of theirs, with a ticket or with a code', async () => {
      const { service, owner } = at();
      const ports = `${service.publicUrl}/app/desktops/${desktop}/ports?port=8080`;
      const place = { id: desktop, port: 8080 };
      const mallory = await member();
      const isRefused = (answer: Response) =>
        expect([answer.status, answer.headers.get('location'), answer.headers.getSetCookie()]).toEqual([
          303,
          ports,
          [],
        ]);
      // A link with a ticket of somebody else; what came of it is spent for them, too.
      const theirs = await ticketFor(desktop, 8080, mallory);
      isRefused(await open(theirs, place, navigation));
      isRefused(await open(theirs, { ...place, visitor: mallory }, navigation));
      // Nobody is signed in here.
      isRefused(
        await open(await ticketFor(desktop, 8080), { ...place, visitor: { ...owner, cookie: '' } }, navigation),
      );
      // A link with a code that was given to another browser, which has a way of its own under way.
      const begin = async (visitor: Visitor) =>
        ask(`/.lebureau/open?ticket=${await ticketFor(desktop, 8080, visitor)}`, { headers: { cookie: '' } });
      const [hers, ours] = [await begin(mallory), await begin(owner)];
      const code = (await admit(hers.headers.get('location')!, mallory, navigation)).headers.get('location')!;
      expect(code).toContain(`${originOf(desktop, 8080)}/.lebureau/enter?code=`);
      isRefused(await bring(code, ours, navigation));
      isRefused(await bring(code, new Response(null), navigation));
      // Nor to another port, or another desktop.
      for (const host of [hostOf(desktop, 3000), hostOf(other, 8080)]) {
        const { pathname, search } = new URL(code);
        const answer = await ask(pathname + search, { host, headers: { ...navigation, cookie: cookieIn(hers) } });
        expect([answer.headers.get('location'), answer.headers.getSetCookie()]).toEqual([
          expect.stringContaining('/app/desktops/'),
          [],
        ]);
      }
      // What is made up leads nowhere, and no frame or script goes there.
      const made = new URL(ours.headers.get('location')!);
      for (const dest of ['iframe', 'empty'])
        expect((await admit(made.href, owner, { 'sec-fetch-dest': dest })).status, dest).toBe(400);
      for (const [name, value] of [
        ['browser', 'x'],
        ['ticket', 'x'],
        ['port', '0'],
        ['desktopId', `dsk_x@evil.example/`],
      ] as const) {
        const wrong = new URL(made);
        wrong.searchParams.set(name, value);
        expect((await admit(wrong.href, owner, navigation)).status, name).toBe(400);
      }
      const entered = await bring((await admit(made.href, owner)).headers.get('location')!, ours);
      expect(entered.headers.get('location')).toBe('/');
      expect(entered.headers.getSetCookie()[1]).toMatch(/^__Host-lb_preview_entry_[\w-]{16}=; Max-Age=0;/);
      // A session has no way to an origin but as a preview, and a preview none to the dashboard's.
      expect((await fetch(code.replace(originOf(desktop, 8080), service.publicUrl))).status).toBe(404);
    });

    test('the secret of a browser is out of reach of scripts, and not told to the guest', async () => {
      const begun = await ask(`/.lebureau/open?ticket=${await ticketFor(desktop, 8080)}`);
      const [set = ''] = begun.headers.getSetCookie();
      for (const part of ['__Host-lb_preview_entry_', 'HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/'])
        expect(set).toContain(part);
      expect(begun.headers.get('location')).not.toContain(set.split(';')[0]!.split('=')[1]!);
      expect([begun.headers.get('referrer-policy'), begun.headers.get('cache-control')]).toEqual([
        'no-referrer',
        'no-store',
      ]);
      await ask('/seen', { headers: { cookie: `${cookie}; ${cookieIn(begun)}; a=1` } });
      expect(page.seen.at(-1)).toMatchObject({ cookie: 'a=1' });
    });

    test('no page of a guest becomes a service worker', async () => {
      const seen = page.seen.length;
      const worker = { 'service-worker': 'script', 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'serviceworker' };
      const refused = await ask('/worker.js', { headers: worker });
      expect([refused.status, refused.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
      expect(await refused.text()).toContain('unregister');
      expect(page.seen.length).toBe(seen);
      expect((await ask('/worker.js', { headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(200);
    });

    test('a ticket leads to its own port of its own desktop, and a key’s leads nowhere', async () => {
      for (const [id, port] of [
        [desktop, 3000],
        [other, 8080],
      ] as const)
        expect((await open(await ticketFor(desktop, 8080), { id, port })).status).toBe(401);
      const path = `/v1/desktops/${desktop}/streams`;
      const byKey = await call(at().service, 'POST', { path, body: { kind: 'port', port: 8080 } });
      expect((await open(byKey.body.ticket, { id: desktop, port: 8080 })).status).toBe(401);
      const terminal = await call(at().service, 'POST', { path, body: { kind: 'terminal' } });
      expect((await open(terminal.body.ticket, { id: desktop, port: 8080 })).status).toBe(401);
      // A script, or a frame, is no person who goes there; and does not use the ticket up.
      const ticket = await ticketFor(desktop, 8080);
      expect((await open(ticket, { id: desktop, port: 8080 }, { 'sec-fetch-dest': 'iframe' })).status).toBe(400);
      expect((await open(ticket, { id: desktop, port: 8080 })).status).toBe(303);
    });

    test('a cookie opens nothing but its own origin', async () => {
      const { service, owner } = at();
      for (const host of [hostOf(desktop, 3000), hostOf(other, 8080)])
        expect((await ask('/', { host })).status).toBe(401);
      const seen = page.seen.length;
      for (const wrong of ['', 'x=1', `${cookie.slice(0, -2)}AA`, owner.cookie, `${cookie}; ${cookie}`])
        expect((await ask('/', { headers: { cookie: wrong } })).status, wrong).toBe(401);
      expect(page.seen.length).toBe(seen);
      // Neither opens it the dashboard, nor does the origin serve any of it.
      expect((await fetch(`${service.publicUrl}/v1/me`, { headers: { cookie } })).status).toBe(401);
      for (const path of ['/v1/me', '/gateway/session', '/app', '/healthz'])
        expect(await (await ask(path, { headers: { cookie: `${cookie}; ${owner.cookie}` } })).text(), path).toBe(path);
      expect((await ask('/.lebureau/x')).status).toBe(404);
    });

    test('names that are no port of a desktop lead nowhere', async () => {
      const body = desktop.slice(4);
      const rest = hostOf(desktop, 8080).split('.').slice(1).join('.');
      for (const label of [
        `0-${body}`,
        `65536-${body}`,
        `08080-${body}`,
        `8080-${body}x`,
        `8080-dsk_${body}`,
        `a.8080-${body}`,
      ])
        expect((await ask('/', { host: `${label}.${rest}` })).status, label).toBe(421);
      expect((await ask('/', { host: rest })).status).toBe(421);
      const longer = hostOf(desktop, 8080).replace('localhost', 'localhost.evil.example');
      expect((await ask('/', { host: longer })).status).toBe(421);
      expect((await ask('/x', { host: hostOf(desktop, 8080).toUpperCase() })).status).toBe(200);
    });

    test('the guest sees a browser of its own, and nothing of the gateway', async () => {
      await ask('/seen', {
        headers: {
          cookie: `a=1; ${cookie}; ${at().owner.cookie}; b=2`,
          authorization: `Bearer ${at().service.apiKey}`,
          'x-forwarded-for': '10.0.0.1',
          forwarded: 'for=10.0.0.1',
          connection: 'close, x-secret',
          'x-secret': 'hop',
          origin: originOf(desktop, 8080),
          referer: `${originOf(desktop, 8080)}/from`,
          'x-own': 'stays',
        },
      });
      const headers = page.seen.at(-1)!;
      expect(headers).toMatchObject({
        host: 'localhost:8080',
        cookie: 'a=1; b=2',
        origin: 'http://localhost:8080',
        referer: 'http://localhost:8080/from',
        'x-own': 'stays',
      });
      expect(JSON.stringify(headers)).not.toMatch(/lb_|10\.0\.0\.1|hop|preview/);
      await ask('/seen', { headers: { authorization: 'Basic YTpi' } });
      expect(page.seen.at(-1)).toMatchObject({ authorization: 'Basic YTpi' });
    });

    test('the guest reaches no further than its own origin', async () => {
      const { headers } = await ask('/hostile');
      expect(headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Secure', 'c=3']);
      for (const name of [
        'clear-site-data',
        'strict-transport-security',
        'alt-svc',
        'nel',
        'report-to',
        'x-hop',
        'keep-alive',
      ])
        expect(headers.get(name), name).toBe(null);
      expect(headers.get('location')).toBe(`${originOf(desktop, 3000)}/there?x#y`);
      expect(headers.get('access-control-allow-origin')).toBe(originOf(desktop, 3000));
      expect(headers.get('cache-control')).toBe('private, max-age=60');
      expect(headers.get('origin-agent-cluster')).toBe('?1');
      expect(headers.get('content-security-policy')).toBe('default-src *');
      expect((await ask('/')).headers.get('cache-control')).toBe('private');
    });

    test('pages elsewhere ask for nothing in the name of who is signed in here', async () => {
      const from = (headers: Record<string, string>, method = 'GET') => ask('/target', { method, headers });
      const foreign: Record<string, string>[] = [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: originOf(other, 8080), 'sec-fetch-site': 'same-site' },
        { origin: at().service.publicUrl },
        { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
        { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', referer: `${originOf(other, 8080)}/` },
        { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
        { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      ];
      for (const headers of foreign)
        expect(await codeOf(await from(headers)), JSON.stringify(headers)).toBe('foreign_origin');
      const navigation = { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
      expect((await from(navigation, 'POST')).status).toBe(403);
      const own: Record<string, string>[] = [
        navigation,
        { 'sec-fetch-site': 'same-origin', origin: 'null' },
        { 'sec-fetch-site': 'none' },
        { origin: originOf(desktop, 3000), 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'image', referer: `${originOf(desktop, 3000)}/` },
      ];
      for (const headers of own) expect((await from(headers)).status, JSON.stringify(headers)).toBe(200);
    });

    test('bodies stream both ways, and what HTTP can is kept', async () => {
      const pieces = new ReadableStream<Uint8Array>({
        async start(controller) {
          for (let at = 0; at < 8; at++) {
            controller.enqueue(new Uint8Array(500_000));
            await Bun.sleep(1);
          }
          controller.close();
        },
      });
      const sent = await ask('/length', { method: 'POST', body: pieces, duplex: 'half' } as object);
      expect(await sent.text()).toBe('4000000');
      const ranged = await ask('/range', { headers: { range: 'bytes=2-4' } });
      expect([ranged.status, ranged.headers.get('content-range'), await ranged.text()]).toEqual([
        206,
        'bytes 2-4/10',
        '234',
      ]);
      const head = await ask('/length', { method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      expect((await ask('/nothing-here', { method: 'DELETE' })).status).toBe(404);
      const events = (await ask('/events')).body!.getReader();
      await events.read();
      page.tell('one');
      expect(new TextDecoder().decode((await events.read()).value)).toContain('data: one');
      page.tell('two');
      expect(new TextDecoder().decode((await events.read()).value)).toContain('data: two');
      await events.cancel();
    });

    test('a port on which nothing answers, or no HTTP, is said', async () => {
      // Before: a node that refuses is asked before a ticket is given.
      const headers = { cookie: await enter(desktop, 81) };
      node.guest.answer = (request) =>
        request.url.includes('/streams/port')
          ? Response.json({ code: 'guest_unreachable', detail: 'Refused.' }, { status: 503 })
          : undefined;
      const refused = await ask('/', { host: hostOf(desktop, 81), headers });
      node.guest.answer = undefined;
      expect([refused.status, await codeOf(refused)]).toEqual([502, 'guest_unreachable']);
      const large = await ask('/', { host: hostOf(desktop, 666), headers: { cookie: await enter(desktop, 666) } });
      expect([large.status, await codeOf(large)]).toEqual([502, 'guest_unreachable']);
    });

    const socket = (headers: Record<string, string>, protocols: string[] = []) => {
      const port = new URL(at().service.publicUrl).port;
      const wish = { headers: { cookie, host: hostOf(desktop, 8080), ...headers }, protocols };
      const made = new WebSocket(`ws://127.0.0.1:${port}/socket`, wish as never);
      made.binaryType = 'arraybuffer';
      return made;
    };
    const opened = (made: WebSocket) =>
      new Promise<boolean>((resolve) => {
        made.addEventListener('open', () => resolve(true));
        made.addEventListener('error', () => resolve(false));
      });

    test('a WebSocket passes message by message, from pages of this desktop only', async () => {
      const made = socket({ origin: originOf(desktop, 8080) }, ['chat', 'other']);
      const got: (string | ArrayBuffer)[] = [];
      made.addEventListener('message', ({ data }) => got.push(data as string));
      expect(await opened(made)).toBe(true);
      expect(made.protocol).toBe('other');
      const messages = ['short', 'é'.repeat(100_000), Buffer.alloc(300_000, 7), Buffer.alloc(0), Buffer.from('x')];
      for (const message of messages) made.send(message);
      await expect.poll(() => got.length).toBe(messages.length);
      expect(got.map((each) => (typeof each === 'string' ? each : Buffer.from(each)))).toEqual(messages);
      const over = new Promise<number>((resolve) => made.addEventListener('close', ({ code }) => resolve(code)));
      made.send('bye');
      expect(await over).toBe(4001);
      for (const origin of ['https://evil.example', originOf(other, 8080), at().service.publicUrl])
        expect(await opened(socket({ origin })), origin).toBe(false);
      expect(await opened(socket({ cookie: '', origin: originOf(desktop, 8080) }))).toBe(false);
    });

    test('messages that a guest begins and does not end take only so much of the gateway, and other sockets go on', async () => {
      // 3 MiB of a message of 4, as soon as somebody comes.
      const begun = Buffer.alloc(10 + 3 * 1_048_576);
      begun.set([0x82, 127]);
      begun.writeBigUInt64BE(4_194_304n, 2);
      const hoarder = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
          socket.write(begun);
        });
      });
      await new Promise<void>((resolve) => hoarder.listen(0, '127.0.0.1', resolve));
      node.guest.ports.set(667, (hoarder.address() as { port: number }).port);
      const place = { host: hostOf(desktop, 667), origin: originOf(desktop, 667), cookie: await enter(desktop, 667) };
      const codes: number[] = [];
      const hoarding = Array.from({ length: 10 }, () => {
        const made = socket(place);
        made.addEventListener('close', ({ code }) => codes.push(code));
        return made;
      });
      // Four or five of them have room, as their buffers have grown.
      await expect.poll(() => codes.length, { timeout: 5000 }).toBeGreaterThanOrEqual(4);
      expect(new Set(codes)).toEqual(new Set([1013]));
      const talking = socket({ origin: originOf(desktop, 8080) });
      const answer = new Promise((resolve) => talking.addEventListener('message', ({ data }) => resolve(data)));
      expect(await opened(talking)).toBe(true);
      talking.send('x'.repeat(20_000));
      expect(await answer).toBe('x'.repeat(20_000));
      expect(codes.length).toBeLessThan(8);
      for (const made of [...hoarding, talking]) made.close();
      hoarder.close();
    });

    test('what is open ends within two seconds after the session, and nothing opens any more', async () => {
      const { service } = at();
      const visitor = await member();
      const theirs = { cookie: await enter(desktop, 8080, visitor) };
      const events = (await ask('/events', { headers: theirs })).body!.getReader();
      const made = socket({ ...theirs, origin: originOf(desktop, 8080) });
      expect(await opened(made)).toBe(true);
      const closed = new Promise((resolve) => made.addEventListener('close', resolve));
      const beganMs = performance.now();
      await asPage(service, visitor, { method: 'POST', path: '/gateway/sign-out' });
      await Promise.all([closed, events.read().catch(() => undefined)]);
      expect(performance.now() - beganMs).toBeLessThan(2000);
      expect((await ask('/', { headers: theirs })).status).toBe(401);
      expect((await ask('/')).status).toBe(200);
    });

    test('a desktop that is gone, is gone here too', async () => {
      const theirs = { cookie: await enter(other, 8080) };
      const host = hostOf(other, 8080);
      expect((await ask('/', { host, headers: theirs })).status).toBe(200);
      await call(at().service, 'DELETE', `/v1/desktops/${other}`);
      await expect.poll(async () => (await ask('/', { host, headers: theirs })).status).not.toBe(200);
    });
  });
}
