import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LeBureau } from '@lebureau/sdk';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../freePort.ts';
import { call, createReady, type Service, startService, vmSkipReason } from '../system/product.ts';
import { asPage, signInByLink } from './browser.ts';
import { openChromium } from './chromium.ts';
import { describeParts } from './describeParts.ts';
import { describeLive } from './describeLive.ts';
import { describePages } from './describePages.ts';
import { describePhone } from './describePhone.ts';
import { describeScreen } from './describeScreen.ts';
import { describeWatching } from './describeWatching.ts';
import { type Issuer, startIssuer } from './issuer.ts';
import { testLeftUploads } from './testLeftUploads.ts';
import { testUploads } from './testUploads.ts';
import { slowBody, slowHead, type SlowVisitors, slowVisitors } from './slowVisitors.ts';

/** The dashboard as people use it: a real browser, the whole service, a real VM. */

const skip = vmSkipReason();
/** Of the issuer's own pages, which its package brings. */
const fonts = /fonts\.googleapis\.com/;
/** Pictures of every page, to be looked at; left out of the tree. */
const pictures = join(import.meta.dirname, '..', '..', 'demo-out', 'pages');

describe.skipIf(skip !== undefined)(`the dashboard ${skip ?? ''}`, () => {
  let service: Service;
  let issuer: Issuer;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const troubles: string[] = [];
  let slow: SlowVisitors | undefined;

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    const gatewayPort = await freePort();
    issuer = await startIssuer(`http://localhost:${gatewayPort}/gateway/callback/oidc`, [
      { sub: 'ada', email: 'ada@example.org', email_verified: true, name: 'Ada' },
    ]);
    service = await startService({
      programs: ['api', 'hostd', 'gateway'],
      gatewayPort,
      environment: { LEBUREAU_SIGN_IN_DOMAINS: 'example.org' },
      gateway: () => ({
        LEBUREAU_PREVIEW_DOMAIN: 'preview.localhost',
        LEBUREAU_OIDC_ISSUER: issuer.url,
        LEBUREAU_OIDC_NAME: 'the test issuer',
        LEBUREAU_OIDC_CLIENT_ID: issuer.clientId,
        LEBUREAU_OIDC_CLIENT_SECRET: issuer.clientSecret,
      }),
    });
    browser = await openChromium();
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    page = await context.newPage();
    page.on('pageerror', (error) => troubles.push(error.message));
    page.on(
      'console',
      (message) => message.type() === 'error' && troubles.push(`${message.text()} ${message.location().url}`),
    );
  });
  afterAll(async () => {
    slow?.stop();
    await browser?.close();
    await service?.close();
    await issuer?.close();
  });

  test('through the issuer to a live desktop and into its menu, and every request stays here', async () => {
    const strangers = new Set<string>();
    page.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      const isKnown = origin === service.publicUrl || origin === issuer.url || fonts.test(request.url());
      if (protocol.startsWith('http') && !isKnown) strangers.add(request.url());
    });
    await page.route(fonts, (route) => route.abort());
    await page.goto(`${service.publicUrl}/app`);
    await page.click('text=Continue with the test issuer');
    await page.fill('input[name=login]', 'ada');
    await page.fill('input[name=password]', 'any');
    await page.click('button[type=submit]');
    await page.click('button[type=submit]');
    await page.click('text=New desktop');
    await page.fill('[name=name]', 'first');
    await page.fill('[name=labels]', 'team: lab');
    await page.click('dialog >> text=Create');
    await page.waitForSelector('article .badge.running', { timeout: 60_000 });
    await page.waitForSelector('.thumbnail img');
    expect(await page.textContent('article')).toContain('team: lab');
    await page.click('article h2 a');
    await page.click('text=Take control');
    await page.waitForSelector('text=Hand back');
    await openMenu(await desktopId());
    await page.screenshot({ path: join(pictures, 'menu.png') });
    await page.keyboard.press('Escape');
    await page.click('text=Hand back');
    await page.waitForSelector('text=Take control');
    await page.click('nav >> text=Desktops');
    expect([...strangers]).toEqual([]);
    // What follows shows an admin's pages, too.
    const { data } = (await call(service, 'GET', '/v1/users')).body as { data: { id: string; name: string }[] };
    const { id } = data.find(({ name }) => name === 'Ada')!;
    expect((await call(service, 'PATCH', { path: `/v1/users/${id}`, body: { role: 'admin' } })).status).toBe(200);
    // The gateway remembers for a moment who they were.
    const adminLinks = async () => {
      await page.reload();
      await page.waitForSelector('h1');
      return page.locator('nav >> text=Admin').count();
    };
    await expect.poll(adminLinks).toBe(1);
  });

  test('what others do is shown without loading the page again', async () => {
    const other = await createReady(service, { name: 'by the API' });
    await page.waitForSelector('text=by the API');
    await call(service, 'DELETE', `/v1/desktops/${other.id}`);
    await page.waitForSelector('text=by the API', { state: 'detached', timeout: 60_000 });
  });

  test('a lost network is said, and what was missed is caught up with', async () => {
    await context.setOffline(true);
    await service.kill('gateway');
    await page.waitForSelector('.note-bar');
    const missed = await createReady(service, { name: 'while away' });
    await service.start('gateway');
    await context.setOffline(false);
    await page.waitForSelector('text=while away', { timeout: 60_000 });
    await page.waitForSelector('.note-bar', { state: 'detached' });
    await call(service, 'DELETE', `/v1/desktops/${missed.id}`);
    // From here on, hundreds try to hold the gateway up.
    slow = slowVisitors(service.publicUrl, [...Array(300).fill(slowHead), ...Array(4).fill(slowBody)]);
  });

  test('a file goes in, is read by the API, put into the trash and taken back', async () => {
    const id = await desktopId();
    await page.goto(`${service.publicUrl}/app/desktops/${id}/files`);
    const dropped = await page.evaluateHandle(`(() => {
      const data = new DataTransfer();
      data.items.add(new File(['Bonjour\\n'], 'dépôt été.txt', { type: 'text/plain' }));
      return data;
    })()`);
    await page.dispatchEvent('.files', 'drop', { dataTransfer: dropped });
    await page.waitForSelector('.file-table >> text=dépôt été.txt');
    const client = new LeBureau({ baseUrl: service.baseUrl, apiKey: service.apiKey });
    expect(await client.desktop(id).files.text('dépôt été.txt')).toBe('Bonjour\n');
    const read = () =>
      call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: 'cat "$HOME/dépôt été.txt"' } });
    expect((await read()).body.stdout).toBe('Bonjour\n');
    await page.click('button:has-text("Actions of dépôt été.txt")');
    await page.click('[role=menuitem]:has-text("Delete")');
    await page.waitForSelector('text=Undo');
    await expect.poll(async () => (await read()).body.exitCode).toBe(1);
    await page.click('text=Undo');
    await page.waitForSelector('.file-table >> text=dépôt été.txt');
    expect((await read()).body.stdout).toBe('Bonjour\n');
    await page.click('.file-name:has-text("dépôt")');
    await page.waitForSelector('pre.preview >> text=Bonjour');
    await page.keyboard.press('Escape');
  });

  testUploads(() => ({ service, page, pictures, desktopId }));
  testLeftUploads(() => ({ service, context, pictures, desktopId }));

  test('a person takes the mouse from an agent, opens the menu, types in a terminal, and hands it back', async () => {
    const id = await desktopId();
    const click = () => call(service, 'POST', { path: `/v1/desktops/${id}/click`, body: { x: 640, y: 300 } });
    expect((await click()).status).toBe(200);
    await page.goto(`${service.publicUrl}/app/desktops/${id}`);
    await page.waitForSelector('.screen-target canvas');
    const steps = Array.from({ length: 30 }, (_, at) => [
      { action: 'move', x: 600 + at, y: 300 },
      { action: 'wait', durationMs: 500 },
    ]);
    const acting = call(service, 'POST', { path: `/v1/desktops/${id}/actions`, body: { actions: steps.flat() } });
    await page.click('text=Take control');
    await page.waitForSelector('text=Hand back');
    expect((await acting).body).toMatchObject({ code: 'human_control' });
    expect((await click()).body).toMatchObject({ code: 'human_control', holder: { kind: 'human', name: 'Ada' } });
    await openMenu(id);
    await page.keyboard.press('Escape');
    await page.click('text=Hand back');
    await page.waitForSelector('text=Take control');
    await expect.poll(async () => (await click()).status).toBe(200);
    await page.goto(`${service.publicUrl}/app/desktops/${id}/terminal`);
    await page.waitForSelector('.xterm-rows >> text=agent@', { timeout: 30_000 });
    await page.click('.terminal-target');
    await page.keyboard.type('echo dépôt > ~/typed.txt\n');
    const typed = () =>
      call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: 'cat ~/typed.txt' } });
    await expect.poll(async () => (await typed()).body.stdout, { timeout: 20_000 }).toBe('dépôt\n');
    await page.screenshot({ path: join(pictures, 'terminal.png') });
    await page.keyboard.type('cat > ~/pasted.txt\n');
    const run = (command: string) => call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } });
    // While the shell waits for a command it asks for pastes with marks around them.
    await expect.poll(async () => (await run('pgrep -x cat')).body.exitCode).toBe(0);
    await page.evaluate(paste(`'${'é'.repeat(40)}\\n'.repeat(2000)`));
    await page.evaluate(paste(`'x'.repeat(1_000_001)`));
    await page.waitForSelector('text=too long for a terminal');
    await page.keyboard.press('Control+d');
    await expect
      .poll(async () => (await run('wc -c ~/pasted.txt')).body.stdout, { timeout: 20_000 })
      .toBe('162000 /home/agent/pasted.txt\n');
  });

  test('a ticket opens one socket, and only from a page of ours', async () => {
    const id = await desktopId();
    const opened = await page.evaluate<string>(`(async () => {
      const made = await ${askTicket(id)};
      const address = location.origin.replace('http', 'ws') + made.path + '?ticket=' + made.ticket;
      const how = (socket) => new Promise((resolve) => { socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused'); });
      return [await how(new WebSocket(address)), await how(new WebSocket(address))].join();
    })()`);
    expect(opened).toBe('open,refused');
    // A ticket that somebody saw, or that a page of another site got hold of, opens nothing.
    const cookies = await context.cookies();
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const link = await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'member' } });
    const other = await signInByLink(service, link.body.token);
    const upgrade = async (headers: Record<string, string>) => {
      const { path, ticket } = await page.evaluate<{ path: string; ticket: string }>(askTicket(id));
      const keys = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
      const answer = await fetch(`${service.publicUrl}${path}?ticket=${ticket}`, {
        headers: { ...keys, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', ...headers },
      });
      return ((await answer.json()) as { code: string }).code;
    };
    const origin = service.publicUrl;
    expect(await upgrade({})).toBe('ticket_refused');
    expect(await upgrade({ origin, cookie: other.cookie })).toBe('ticket_refused');
    for (const foreign of ['https://evil.example', 'null', `${origin}.evil.example`])
      expect(await upgrade({ origin: foreign, cookie })).toBe('foreign_origin');
  });

  test('a page of the guest runs nothing here', async () => {
    const id = await desktopId();
    const command = `printf '<script>document.title="stolen"</script>' > ~/page.html; printf '<svg xmlns="http://www.w3.org/2000/svg"><script>document.title="stolen"</script></svg>' > ~/a.svg`;
    await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } });
    for (const name of ['page.html', 'a.svg']) {
      const tab = await context.newPage();
      const saved = tab.waitForEvent('download').catch(() => undefined);
      await tab.goto(`${service.publicUrl}/v1/desktops/${id}/files/content?path=~/${name}`).catch(() => undefined);
      expect(await tab.title()).not.toBe('stolen');
      await tab.close();
      expect(await saved, name).toBeDefined();
    }
  });

  test('a port of the desktop opens in a tab of its own, with its sockets, and sees nothing of the dashboard', async () => {
    const id = await desktopId();
    const path = `/v1/desktops/${id}/exec`;
    const run = (command: string) => call(service, 'POST', { path, body: { command } });
    const server = readFileSync(join(import.meta.dirname, 'guestServer.py'), 'utf8');
    await run(`cat > ~/serve.py <<'END'\n${server}END\nsetsid python3 ~/serve.py > ~/serve.log 2>&1 < /dev/null &`);
    const listening = async () => (await run('ss -ltn | grep -c :8080')).body.stdout;
    await expect.poll(listening, { timeout: 60_000 }).toBe('1\n');
    await page.goto(`${service.publicUrl}/app/desktops/${id}/ports`);
    const [tab] = await Promise.all([context.waitForEvent('page'), page.click('text=Open port')]);
    await tab.waitForSelector('text=from the socket: hello', { timeout: 20_000 });
    expect(new URL(tab.url()).host).toBe(`8080-${id.slice(4)}.preview.localhost:${new URL(service.publicUrl).port}`);
    expect(tab.url()).not.toContain('ticket');
    const seen = await tab.textContent('#cookies');
    expect(seen).toBe('guest=1');
    expect(await tab.evaluate('window.opener')).toBe(null);
    // Nothing of the dashboard is in reach of the guest's page.
    const stolen = `fetch('${service.publicUrl}/gateway/session', { credentials: 'include' }).then((it) => it.text(), () => 'refused')`;
    expect(await tab.evaluate<string>(stolen)).toBe('refused');
    await tab.close();
  });

  describeWatching(() => ({ service, browser, page, desktopId, pictures }));
  describeLive(() => ({ service, browser, desktopId }));
  describeScreen(() => ({ service, browser, context, page, desktopId, pictures }));
  describePhone(() => ({ service, browser, desktopId, pictures }));
  describeParts(() => ({ service, context, desktopId, pictures }));

  test('a key is shown once and works', async () => {
    await page.goto(`${service.publicUrl}/app/settings/keys`);
    await page.click('text=New key');
    await page.fill('dialog [name=name]', 'agent');
    await page.waitForSelector('dialog [name=capability]');
    await page.click('dialog button[type=submit]');
    const secret = (await page.textContent('.secret code'))!;
    const me = await fetch(`${service.publicUrl}/v1/me`, { headers: { authorization: `Bearer ${secret}` } });
    expect(await me.json()).toMatchObject({ key: { name: 'agent' }, user: { name: 'Ada' } });
    await page.reload();
    expect(await page.content()).not.toContain(secret);
  });

  test('an admin sees how the service is, and everybody’s keys and sessions', async () => {
    await page.goto(`${service.publicUrl}/app/admin/health`);
    await page.waitForSelector('text=All is well');
    expect(await page.innerText('section:has(h2:text-is("Desktops"))')).toMatch(/Running\s+1/);
    await page.goto(`${service.publicUrl}/app/admin/templates`);
    await page.waitForSelector('.facts a:text-is("first")');
    await page.goto(`${service.publicUrl}/app/admin/keys`);
    await page.waitForSelector('tr:has-text("the first start")');
    const { token } = (
      await call(service, 'POST', { path: '/v1/sign-in-links', body: { role: 'member', name: 'Grace' } })
    ).body as { token: string };
    const grace = await signInByLink(service, token);
    await page.goto(`${service.publicUrl}/app/admin/sessions`);
    await page.click('tr:has-text("Grace") >> text=End');
    await page.waitForSelector('tr:has-text("Grace")', { state: 'detached' });
    const refused = await asPage(service, grace, { method: 'GET', path: '/v1/me' });
    expect(refused.status).toBe(401);
  });

  describePages(() => ({ service, browser, context, desktopId, pictures }));

  test('what a desktop uses is drawn, read out point by point, and goes on', async () => {
    const id = await desktopId();
    // Its time is another: a page that waits ten seconds need not wait.
    const other = await browser.newContext({ storageState: await context.storageState() });
    const tab = await other.newPage();
    await tab.clock.install();
    const loaded: string[] = [];
    tab.on('request', (request) => loaded.push(request.url()));
    await tab.goto(`${service.publicUrl}/app/desktops/${id}/settings`);
    await tab.waitForSelector('text=Metrics');
    expect(loaded.filter((url) => url.includes('MetricsPanel'))).toEqual([]);
    await tab.click('text=Metrics');
    await tab.waitForSelector('.chart-target canvas');
    expect(await tab.locator('figure').count()).toBe(5);
    const moment = tab.getByRole('slider', { name: 'Moment in the chart: Memory' });
    expect(await moment.getAttribute('aria-valuetext')).toMatch(/: Used [\d.,]+ [MG]iB$/);
    await moment.press('Home');
    const first = await moment.getAttribute('aria-valuetext');
    await moment.press('ArrowRight');
    await moment.press('ArrowRight');
    expect(await moment.inputValue()).toBe('2');
    // It was not there an hour ago: nothing is known of it, which is not zero.
    expect([first, await moment.getAttribute('aria-valuetext')].map((text) => text?.endsWith('Used –'))).toEqual([
      true,
      true,
    ]);
    const goingOn = tab.waitForResponse((answer) => /metrics\?from=.*stepSeconds=10$/.test(answer.url()));
    await tab.clock.fastForward(11_000);
    expect((await goingOn).status()).toBe(200);
    const month = tab.waitForResponse((answer) => answer.url().endsWith('stepSeconds=7200'));
    await tab.click('text=Last 30 days');
    await month;
    await tab.waitForSelector('.chart-target canvas');
    await other.close();
  });

  test('whoever sends a request without an end is let go of', async () => {
    await expect.poll(() => slow!.left(), { timeout: 45_000, interval: 500 }).toBe(0);
  });

  test('nothing went wrong in the pages meanwhile', () => {
    // Network, service and a desktop whose picture was asked for were taken away on purpose, and one ticket was used twice.
    expect(
      troubles.filter(
        (text) =>
          !fonts.test(text) &&
          !text.includes(issuer.url) &&
          !/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING|503|409.*screenshot|ticket=lbt_/.test(
            text,
          ),
      ),
    ).toEqual([]);
  });

  /** Of the panel, in the lower left corner of 1280 × 800. */
  async function openMenu(id: string): Promise<void> {
    await page.waitForSelector('.screen-note', { state: 'detached' });
    const before = await shot(id);
    const box = (await page.locator('.screen-target canvas').boundingBox())!;
    // As a hand comes: a tablet that says the same place twice says nothing, and an agent may have moved the pointer meanwhile.
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 4 });
    await page.mouse.click(box.x + (box.width * 55) / 1280, box.y + (box.height * 784) / 800);
    await expect.poll(async () => (await shot(id)).equals(before), { timeout: 20_000 }).toBe(false);
  }

  async function shot(id: string): Promise<Buffer> {
    const answer = await fetch(`${service.baseUrl}/v1/desktops/${id}/screenshot?region=0,300,300,460`, {
      headers: { authorization: `Bearer ${service.apiKey}` },
    });
    return Buffer.from(await answer.arrayBuffer());
  }

  async function desktopId(): Promise<string> {
    const { body } = await call(service, 'GET', '/v1/desktops?limit=100');
    return (body.data as { id: string; name: string }[]).find(({ name }) => name === 'first')!.id;
  }
});

/** For the page: a ticket for the screen of a desktop. */
function askTicket(id: string): string {
  return `(async () => {
    const { csrfToken } = await (await fetch('/gateway/session')).json();
    const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': csrfToken };
    const made = await fetch('/v1/desktops/${id}/streams', { method: 'POST', body: JSON.stringify({ kind: 'vnc' }), headers });
    return made.json();
  })()`;
}

/** For the page: what stands in the clipboard comes into the terminal. */
function paste(text: string): string {
  return `(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', ${text});
    const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    document.querySelector('.xterm-helper-textarea').dispatchEvent(event);
  })()`;
}
