import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Browser } from 'playwright-core';
import { expect, test } from 'vitest';
import { freePort } from '../freePort.ts';
import { type Service, waitFor } from '../system/product.ts';
import { heardAt } from './describeScreen.ts';
import { Fingers, phone } from './fingers.ts';
import { listenIn } from './guestInput.ts';

interface Called {
  service: Service;
  browser: Browser;
  desktopId: () => Promise<string>;
  /** Folder. */
  pictures: string;
}

interface OnLan {
  publicOrigin: string;
  /** As it is printed. */
  fingerprint: string;
  gateway: ChildProcess;
}

const hasLan = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ family, internal }) => family === 'IPv4' && !internal),
);
const root = join(import.meta.dirname, '..', '..');

/** Somebody's phone, as far as a browser can be one. */
export function describePhone(at: () => Called): void {
  test.skipIf(!hasLan)(
    'a phone on the local network: the link signs it in, over TLS, and a tap is a click',
    async () => {
      const { service, browser, desktopId, pictures } = at();
      const id = await desktopId();
      const lan = await startOnLan(service);
      try {
        expect(new URL(lan.publicOrigin).hostname).not.toMatch(/^(localhost|127\.)/);
        expect(await fingerprintAt(lan.publicOrigin)).toBe(lan.fingerprint);
        const theirs = await browser.newContext({ ...phone, ignoreHTTPSErrors: true });
        const tab = await theirs.newPage();
        await tab.goto(
          `${lan.publicOrigin}/sign-in/link#${readFileSync(join(service.home, 'owner-link'), 'utf8').trim()}`,
        );
        await tab.tap('main button');
        await tab.waitForSelector('.thumbnail img');
        const [cookie, ...others] = await theirs.cookies();
        expect(cookie).toMatchObject({ name: '__Host-lb_session', secure: true, httpOnly: true, sameSite: 'Lax' });
        expect(others).toEqual([]);
        await tab.screenshot({ path: join(pictures, 'phone-lan.png') });
        await tab.tap('article h2 a');
        await tab.tap('text=Take control');
        await tab.waitForSelector('text=Hand back');
        const input = await listenIn(service, id);
        const place = { x: 900, y: 300 };
        await (await Fingers.on(tab)).tap(place);
        await expect.poll(() => heardAt(input, 'button 1', place)).toEqual(['down', 'up']);
        await input.stop();
        expect(await tab.evaluate('[isSecureContext, document.documentElement.scrollWidth]')).toEqual([true, 360]);
        await tab.screenshot({ path: join(pictures, 'phone-lan-screen.png') });
        await tab.tap('text=Hand back');
        await theirs.close();
      } finally {
        lan.gateway.kill('SIGKILL');
      }
    },
  );
}

/** Another gateway of this service, as `npm start -- --lan` has it. */
async function startOnLan(service: Service): Promise<OnLan> {
  const port = await freePort();
  const gateway = spawn(process.execPath, [join(root, 'dashboard', 'server', 'main.ts')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      LEBUREAU_HOME: service.home,
      LEBUREAU_LAN: 'on',
      LEBUREAU_GATEWAY_LISTEN: `127.0.0.1:${port}`,
      LEBUREAU_BASE_URL: service.baseUrl,
      LEBUREAU_LOG_LEVEL: 'warn',
    },
  });
  const unchecked = { tls: { rejectUnauthorized: false } } as RequestInit;
  // For the launcher, which prints it.
  const told = () =>
    JSON.parse(readFileSync(join(service.home, 'lan', 'address.json'), 'utf8')) as Omit<OnLan, 'gateway'>;
  try {
    await waitFor(
      async () => (await fetch(`https://localhost:${port}/healthz`, unchecked).catch(() => undefined)) !== undefined,
      () => 'the gateway did not come up on the local network',
    );
    return { ...told(), gateway };
  } catch (error) {
    gateway.kill('SIGKILL');
    throw error;
  }
}

function fingerprintAt(origin: string): Promise<string> {
  const { hostname: host, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
