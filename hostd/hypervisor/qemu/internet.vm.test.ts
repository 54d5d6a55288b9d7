import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { runCommand } from './command.ts';
import { confine } from './launch.ts';
import { GuestNetwork } from './network.ts';
import { notInternet } from '../notInternet.ts';
import { tableName } from './rules.ts';

/**
 * A second namespace plays the internet and everything a guest must not reach: it holds public-looking addresses,
 * private ones and the metadata address, and answers on port 80 and 53 of each. The probes run as a guest's QEMU
 * would after a break-out: with its uid, in its network namespace, with any system call it likes.
 */
const world = 'lbtest-world';
const publicAddress = '198.51.100.10';
const resolver = '10.53.0.53';
const forbidden = ['10.99.0.1', '172.16.9.9', '192.168.77.1', '100.64.9.9', '169.254.169.254', '198.18.255.9'];
const block = 62;
const uidBase = 470_000;

const home = mkdtempSync(join(tmpdir(), 'lebureau-internet-'));
const network = new GuestNetwork({
  home,
  block,
  uidBase,
  resolver,
  poolSize: 2,
  clock: systemClock,
  log: silentLog,
});
let answering: ChildProcess | undefined;
let hostService: Server | undefined;

/** Says `here` to every connection to these ports and echoes datagrams to port 53. */
const answer = (address: string, ports: readonly number[]) => `
for (const port of ${JSON.stringify(ports)}) {
  Bun.listen({ hostname: '${address}', port, socket: { open(s) { s.end('here'); }, data() {}, error() {} } });
}
await Bun.udpSocket({ hostname: '${ports.includes(53) ? resolver : address}', port: 53, socket: { error() {}, data(s, d, port, from) { s.send(d, port, from); } } });
console.log('ready');
`;

/** Prints which of its `address port` arguments answer, all tried at once. */
const probe = `
try() { exec 3<>"/dev/tcp/$1/$2" && read -r -t 1 -n 4 word <&3 && [ "$word" = here ] && echo "$1 $2"; }
export -f try
for pair in "$@"; do timeout 2 bash -c "try $pair" 2>/dev/null & done
wait
`;

function asGuest(slot: number, program: readonly string[]): Promise<string> {
  const chain = confine({ uid: network.address(slot).uid, groups: [], namespace: network.namespacePath(slot) });
  const [first, ...rest] = [...chain, ...program];
  return runCommand(first ?? '', rest, { timeoutMs: 60_000 });
}

async function reached(slot: number | undefined, pairs: readonly string[]): Promise<string[]> {
  const args = ['-c', probe, 'probe', ...pairs];
  const output = slot === undefined ? await runCommand('bash', args) : await asGuest(slot, ['bash', ...args]);
  const answered = new Set(output.split('\n'));
  return pairs.filter((pair) => answered.has(pair));
}

const root = process.geteuid?.() === 0;

describe.skipIf(!root)(`network of a guest${root ? '' : ' (needs root)'}`, () => {
  let slot = 0;

  beforeAll(async () => {
    await network.open(new Set(), new Set());
    expect(network.reason).toContain('own network namespace');
    slot = network.take();
    await network.ensure(slot);
    await makeWorld();
  });

  afterAll(async () => {
    answering?.kill('SIGKILL');
    hostService?.close();
    await network.release(slot);
    await network.close();
    await runCommand('ip', ['-force', '-batch', '-'], { stdin: `link del lbtest0\nnetns del ${world}\n` }).catch(
      () => {},
    );
    expect(await runCommand('nft', ['list', 'tables'])).not.toContain(`${tableName(block)}\n`);
    rmSync(home, { recursive: true });
  });

  test('the internet answers, and the resolver on its port only', async () => {
    const pairs = [`${publicAddress} 80`, `${resolver} 53`, `${resolver} 80`];
    expect(await reached(undefined, pairs)).toEqual(pairs);
    expect(await reached(slot, pairs)).toEqual([`${publicAddress} 80`, `${resolver} 53`]);
    // bash reads byte by byte, and so sees one of a datagram.
    const ask = (address: string) =>
      `exec 3<>/dev/udp/${address}/53; echo n >&3; read -r -t 1 word <&3; echo "got $word"`;
    expect(await asGuest(slot, ['bash', '-c', ask(resolver)])).toBe('got n\n');
  });

  test('private, carrier, link-local and metadata addresses do not, though the host reaches them', async () => {
    const pairs = forbidden.map((address) => `${address} 80`);
    expect(await reached(undefined, pairs)).toEqual(pairs);
    expect(await reached(slot, pairs)).toEqual([]);
  });

  test('the host answers on none of its addresses, loopback and IPv6 included', async () => {
    hostService = createServer((socket) => socket.end('here'));
    await new Promise<void>((resolve) => {
      hostService?.listen(18_080, '::', resolve);
    });
    const own = (await runCommand('ip', ['-o', 'addr'])).matchAll(/inet6? ([0-9a-f.:]+)\//g);
    const addresses = [...own].map((match) => match[1] ?? '').filter((address) => !address.startsWith('fe80'));
    expect(addresses).toEqual(expect.arrayContaining(['127.0.0.1', network.address(slot).hostAddress]));
    const pairs = [...addresses.flatMap((a) => (a.includes(':') ? [a] : [a, `::ffff:${a}`])).map((a) => `${a} 18080`)];
    expect(await reached(undefined, pairs)).toEqual(expect.arrayContaining(['127.0.0.1 18080', '::1 18080']));
    expect(await reached(slot, pairs)).toEqual([]);
  });

  test('IPv6 of any kind does not leave', async () => {
    const pairs = [
      '2001:db8::10 80',
      'fd00::2 80',
      'fe80::1 80',
      '::ffff:10.99.0.1 80',
      '64:ff9b::a63:1 80',
      'ff02::1 80',
    ];
    expect(await reached(slot, pairs)).toEqual([]);
    // The mapped form of the internet is IPv4 on the wire, and so shows that the probe can succeed.
    expect(await reached(slot, [`::ffff:${publicAddress} 80`])).toEqual([`::ffff:${publicAddress} 80`]);
  });

  test('another guest does not answer', async () => {
    const other = network.take();
    await network.ensure(other);
    const { guestAddress } = network.address(other);
    const program = [process.execPath, '-e', answer(guestAddress, [22])];
    const service = spawn('ip', ['netns', 'exec', network.address(other).namespace, ...program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => service.stdout.once('data', resolve));
    expect(await reached(undefined, [`${guestAddress} 22`])).toEqual([`${guestAddress} 22`]);
    expect(await reached(slot, [`${guestAddress} 22`])).toEqual([]);
    service.kill('SIGKILL');
    await network.release(other);
  });

  test("the guest's side alone refuses, when somebody flushed the host's rules; and those come back", async () => {
    await runCommand('nft', ['flush', 'table', 'inet', tableName(block)]);
    await runCommand('nft', ['delete', 'table', 'inet', tableName(block)]);
    expect(
      await reached(
        slot,
        forbidden.map((address) => `${address} 80`),
      ),
    ).toEqual([]);
    await network.verify();
    const rules = await runCommand('nft', ['list', 'table', 'inet', tableName(block)]);
    for (const each of notInternet.slice(0, 5)) expect(rules).toContain(each);
  });

  test('an uid of a guest can neither change its rules nor leave its namespace', async () => {
    await expect(asGuest(slot, ['nft', 'flush', 'ruleset'])).rejects.toThrow(/not permitted/);
    await expect(asGuest(slot, ['ip', 'route', 'add', '10.0.0.0/8', 'dev', 'eth0'])).rejects.toThrow(/not permitted/);
    await expect(asGuest(slot, ['nsenter', '--net=/proc/1/ns/net', 'true'])).rejects.toThrow(/Permission denied/);
  });
});

async function makeWorld(): Promise<void> {
  await runCommand('ip', ['-force', '-batch', '-'], { stdin: `link del lbtest0\nnetns del ${world}\n` }).catch(
    () => {},
  );
  const addresses = [publicAddress, resolver, ...forbidden];
  const host = [
    `netns add ${world}`,
    `link add lbtest0 type veth peer name eth0 netns ${world}`,
    'addr add 198.51.100.1/24 dev lbtest0',
    'link set lbtest0 up',
  ];
  await runCommand('ip', ['-batch', '-'], { stdin: `${host.join('\n')}\n` });
  const inside = [
    'link set lo up',
    'link set eth0 up',
    `addr add ${publicAddress}/24 dev eth0`,
    'route add default via 198.51.100.1',
  ];
  const more = addresses.slice(1).map((address) => `addr add ${address}/32 dev lo`);
  await runCommand('ip', ['-n', world, '-batch', '-'], { stdin: `${[...inside, ...more].join('\n')}\n` });
  const routes = addresses.slice(1).map((address) => `route add ${address}/32 via ${publicAddress}`);
  await runCommand('ip', ['-batch', '-'], { stdin: `${routes.join('\n')}\n` });
  const program = [process.execPath, '-e', answer('0.0.0.0', [53, 80])];
  answering = spawn('ip', ['netns', 'exec', world, ...program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => answering?.stdout?.once('data', resolve));
}
