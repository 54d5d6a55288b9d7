import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openInitChannel } from '../../guest/init/client.ts';
import { runCommand } from './command.ts';
import { openQemuDriver, type QemuDriver } from './driver.ts';

/** A real clone and a made-up internet in a namespace of its own: a web server, and a resolver that knows its name. */

const templateHome = process.env['LEBUREAU_TEST_HOME'];
const templates = templateHome === undefined ? '' : join(templateHome, 'templates');
const skip =
  process.geteuid?.() !== 0
    ? '(needs root)'
    : existsSync(templates)
      ? ''
      : '(LEBUREAU_TEST_HOME names no folder with a template)';

const world = 'lbtest-clone';
const link = 'lbtest1';
const webAddress = '203.0.113.10';
const resolver = '10.54.0.53';
const home = skip ? '' : mkdtempSync('/var/tmp/lb-internet-');
let driver: QemuDriver;
let answering: ChildProcess | undefined;

/** A web server, and a name server that gives its address for every name below `made-up.test`. */
const internet = `
Bun.serve({ hostname: '${webAddress}', port: 80, fetch: (request) => new Response('you asked ' + new URL(request.url).host) });
const address = [${webAddress.replaceAll('.', ', ')}];
await Bun.udpSocket({
  hostname: '${resolver}',
  port: 53,
  socket: {
    error() {},
    data(socket, question, port, from) {
      let end = 12;
      const labels = [];
      while (question[end] !== 0) {
        labels.push(question.subarray(end + 1, end + 1 + question[end]).toString());
        end += question[end] + 1;
      }
      const asked = question.subarray(12, end + 5);
      const isAddress = question.readUInt16BE(end + 1) === 1;
      const known = labels.slice(-2).join('.').toLowerCase() === 'made-up.test';
      const head = Buffer.from([question[0], question[1], 0x81, known ? 0x80 : 0x83, 0, 1, 0, known && isAddress ? 1 : 0, 0, 0, 0, 0]);
      const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address]);
      socket.send(Buffer.concat([head, asked, ...(known && isAddress ? [answer] : [])]), port, from);
    },
  },
});
console.log('ready');
`;

describe.skipIf(skip !== '')(`the internet of a real clone ${skip}`, () => {
  beforeAll(async () => {
    await makeInternet();
    chmodSync(home, 0o755);
    symlinkSync(templates, join(home, 'templates'));
    driver = await openQemuDriver({ home, clock: systemClock, log: silentLog, namespacesReady: 1, resolver });
    const warm = (await driver.facts()).templates.find((each) => each.warmSizes.includes('1x1024'));
    await driver.clone({
      vmRef: 'surfer',
      owner: 'asg_surfer',
      templateId: warm?.id ?? '',
      vcpus: 1,
      memoryMiB: 1024,
      diskGiB: 8,
      network: 'internet',
    });
    await driver.start('surfer', { boot: 1, mac: '52:54:00:12:34:57' });
  });

  afterAll(async () => {
    await driver?.delete('surfer', 'asg_surfer').catch(() => {});
    await driver?.close();
    answering?.kill('SIGKILL');
    await removeInternet();
    rmSync(home, { recursive: true, force: true });
  });

  test('it is reached by address and by name, and a name that nobody has is not found', async () => {
    const curl = (url: string, seconds = 30) => inGuest(`curl -sS --max-time ${seconds} ${url}`);
    expect(await curl(`http://${webAddress}/`)).toBe(`you asked ${webAddress}`);
    expect(await curl('http://www.made-up.test/')).toBe('you asked www.made-up.test');
    expect(await curl('http://nobody.invalid/')).toMatch(/Could not resolve/);
    expect(await curl(`http://${resolver}/`, 4)).not.toContain('you asked');
  });
});

async function inGuest(script: string): Promise<string> {
  const channel = openInitChannel(await driver.openInit('surfer'), systemClock);
  try {
    const argv = ['/bin/sh', '-c', `${script} 2>&1`];
    const result = await channel.exec({ argv, user: 'agent', timeoutMs: 60_000, outputMaxBytes: 65_536 });
    return Buffer.from(result.stdout).toString();
  } finally {
    channel.close();
  }
}

async function makeInternet(): Promise<void> {
  await removeInternet();
  const ip = (lines: string[], ...where: string[]) =>
    runCommand('ip', [...where, '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  await ip([
    `netns add ${world}`,
    `link add ${link} type veth peer name eth0 netns ${world}`,
    `addr add 203.0.113.1/24 dev ${link}`,
    `link set ${link} up`,
  ]);
  await ip(
    [
      'link set lo up',
      'link set eth0 up',
      `addr add ${webAddress}/24 dev eth0`,
      `addr add ${resolver}/32 dev lo`,
      'route add default via 203.0.113.1',
    ],
    '-n',
    world,
  );
  await ip([`route add ${resolver}/32 via ${webAddress}`]);
  answering = spawn('ip', ['netns', 'exec', world, process.execPath, '-e', internet], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => answering?.stdout?.once('data', resolve));
}

async function removeInternet(): Promise<void> {
  const stdin = `link del ${link}\nnetns del ${world}\n`;
  await runCommand('ip', ['-force', '-batch', '-'], { stdin }).catch(() => {});
}
