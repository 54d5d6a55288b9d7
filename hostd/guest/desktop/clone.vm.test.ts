import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type QemuDriver, openQemuDriver } from '../../hypervisor/qemu/driver.ts';
import { deriveIdentity } from '../../identity.ts';
import type { Action } from '../actions/types.ts';
import { GuestConnection } from '../server/connection.ts';

const templateHome = process.env.LEBUREAU_TEST_HOME;
const templates = templateHome === undefined ? '' : join(templateHome, 'templates');
const skip =
  process.geteuid?.() !== 0
    ? 'needs root'
    : existsSync(templates)
      ? ''
      : 'LEBUREAU_TEST_HOME names no folder with a template';
const unicode = 'é€ß日本語😀 aQ^~@#1/Z';
const never = new AbortController().signal;
const vmRef = 'eyes';
const owner = 'asg_eyes';
let home = '';
let driver: QemuDriver;
let guest: GuestConnection;

const act = (...actions: Action[]) => guest.eyes.actions({ actions }, never);

async function exec(script: string): Promise<string> {
  const init = await guest.init();
  const result = await init.exec({
    argv: ['sh', '-c', script],
    user: 'agent',
    timeoutMs: 60_000,
    outputMaxBytes: 65_536,
  });
  return Buffer.from(result.stdout).toString('utf8') + Buffer.from(result.stderr).toString('utf8');
}

describe.skipIf(skip !== '')(`eyes and hands on a warm clone ${skip}`, () => {
  beforeAll(async () => {
    home = mkdtempSync('/var/tmp/lb-eyes-');
    chmodSync(home, 0o755);
    symlinkSync(templates, join(home, 'templates'));
    driver = await openQemuDriver({ home, clock: systemClock, log: silentLog, namespacesReady: 1 });
    const template = (await driver.facts()).templates.find(({ warmSizes }) => warmSizes.includes('1x1024'));
    const identity = deriveIdentity(randomBytes(32), owner);
    await driver.clone({
      vmRef,
      owner,
      templateId: template!.id,
      vcpus: 1,
      memoryMiB: 1024,
      diskGiB: 8,
      network: 'none',
    });
    await driver.start(vmRef, { boot: 1, mac: identity.mac });
    const keys = { hostKey: identity.sshHostKey.publicKey, privateKey: identity.sshClientKey.privateKey };
    guest = new GuestConnection({
      driver,
      vmRef,
      clock: systemClock,
      log: silentLog,
      keys: () => keys,
      onInitLost: () => {},
    });
    await (
      await guest.init()
    ).identify(
      {
        owner,
        boot: 1,
        version: 0,
        hostName: 'eyes',
        machineId: identity.machineId,
        mac: identity.mac,
        sshHostKey: identity.sshHostKey.privateKey,
        sshAuthorizedKey: identity.sshClientKey.publicKey,
        clockMs: systemClock.nowMs(),
        entropy: randomBytes(64).toString('base64'),
        timeZone: 'Etc/UTC',
        config: '{}',
      },
      12_000,
    );
  });

  afterAll(async () => {
    guest?.close();
    await driver.delete(vmRef, owner);
    await driver.close();
    rmSync(home, { recursive: true });
  });

  test('the desktop is seen at once, and hands reach it before its X server does', async () => {
    await guest.display.firstFrame();
    const result = await act({ action: 'move', x: 640, y: 300 }, { action: 'click', x: 640, y: 300 });
    expect(result).toMatchObject({ completed: 2, screenshot: { frame: { screenWidth: 1280, screenHeight: 800 } } });
  });

  for (const layout of ['us', 'fr']) {
    test(`text is typed into a terminal and read back under the layout ${layout}`, async () => {
      await guest.warm();
      await act({ action: 'type', text: '' });
      await exec(`setxkbmap ${layout}; rm -f typed; setsid -f xfce4-terminal --title=typing >/dev/null 2>&1`);
      await act(
        { action: 'waitUntil', until: 'window', text: 'typing', timeoutMs: 40_000 },
        { action: 'waitUntil', until: 'stable', quietMs: 800, timeoutMs: 20_000 },
      );
      const result = await act(
        { action: 'type', text: 'cat > typed', pressEnter: true },
        { action: 'type', text: unicode, pressEnter: true },
        { action: 'key', keys: ['ctrl+d'] },
      );
      expect(result).toMatchObject({ completed: 3, activeWindow: { title: expect.stringContaining('typing') } });
      await expect.poll(() => exec('cat typed'), { timeout: 30_000 }).toBe(`${unicode}\n`);
      expect(await act({ action: 'type', text: 'cat > pasted', pressEnter: true })).toMatchObject({ completed: 1 });
      // While the shell waits for a command it asks for pastes with marks around them.
      // If not, what is there says why.
      const waits = () => exec('pgrep -x cat || { wmctrl -l; ls -l; ps -eo pid,tty,args; }');
      await expect.poll(waits, { timeout: 30_000 }).toMatch(/^\d+\n$/);
      const pasted = await act(
        { action: 'type', text: `${unicode}\n`, method: 'paste' },
        { action: 'key', keys: ['ctrl+d'] },
      );
      expect(pasted).toMatchObject({ completed: 2 });
      await expect.poll(() => exec('cat pasted'), { timeout: 30_000 }).toBe(`${unicode}\n`);
      await act({ action: 'type', text: 'exit', pressEnter: true });
      await exec('setxkbmap us');
    });
  }

  test('the clipboard keeps what it is given, for programs of the guest too', async () => {
    await guest.eyes.setClipboard(unicode);
    expect(await exec('xclip -o -selection clipboard')).toBe(unicode);
    expect(await guest.eyes.clipboard()).toEqual({ text: unicode });
  });

  test('text of a program is found in the accessibility tree', async () => {
    await exec('setsid -f mousepad --disable-server >/dev/null 2>&1');
    await act(
      { action: 'waitUntil', until: 'window', text: 'mousepad', timeoutMs: 40_000 },
      { action: 'waitUntil', until: 'stable', quietMs: 800, timeoutMs: 20_000 },
    );
    const mousepad = (await guest.eyes.windows()).find(({ title }) => title.includes('Mousepad'));
    await guest.eyes.focusWindow(mousepad!.windowId);
    const result = await act(
      { action: 'type', text: 'needle in a haystack' },
      { action: 'waitUntil', until: 'text', text: 'Needle in', timeoutMs: 30_000 },
    );
    expect(result.results[1]).toMatchObject({
      ok: true,
      result: { matched: expect.stringContaining('needle in a haystack') },
    });
  });

  test('what the guest draws by itself after a long rest is in the next picture', async () => {
    await systemClock.sleep(8_000);
    let isSeen = false;
    // A guest that is slow today has drawn nothing after a second; a picture that is late is late each time.
    for (let tries = 0; tries < 3 && !isSeen; tries++) {
      const { frame } = await guest.eyes.screenshot({});
      await systemClock.sleep(5_000);
      await exec(
        `xsetroot -solid ${tries % 2 === 0 ? 'red' : 'blue'}; wmctrl -k ${tries % 2 === 0 ? 'on' : 'off'}; sleep 1`,
      );
      const startMs = performance.now();
      isSeen = !(await guest.eyes.screenshot({ since: frame.frameId })).unchanged;
      expect(performance.now() - startMs).toBeLessThan(4000);
    }
    expect(isSeen).toBe(true);
    await exec('wmctrl -k off');
  });
});
