import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call, createReady, type Service } from '../system/product.ts';
import { remove } from './desktopFigures.ts';
import { type Figure, figure, quantile, summary, timeEach } from './figure.ts';
import { residentMiB } from './processes.ts';

const MB = 1_000_000;

/** Looks, commands and files on one warm desktop, beside the `ssh` and `sftp` programs in the same run. */
export async function guestFigures(service: Service): Promise<Figure[]> {
  const desktop = await createReady(service);
  const folder = mkdtempSync(join(tmpdir(), 'lb-bench-'));
  try {
    const ssh = await openSharedSsh(service, desktop, folder);
    return [
      ...(await lookFigures(service, desktop.id)),
      ...(await execFigures(service, desktop.id, ssh)),
      ...(await fileFigures(service, desktop.id, { ssh, folder })),
    ];
  } finally {
    await remove(service, desktop.id);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function lookFigures(service: Service, id: string): Promise<Figure[]> {
  const at = `/v1/desktops/${id}`;
  const headers = { Authorization: `Bearer ${service.apiKey}` };
  const look = async (query: string) => {
    const response = await fetch(`${service.baseUrl}${at}/screenshot?${query}`, { headers });
    await response.arrayBuffer();
    return response;
  };
  const frameOf = (response: Response) =>
    (JSON.parse(response.headers.get('frame') ?? '{}') as { frameId: string }).frameId;
  await look('format=webp');
  const changed: number[] = [];
  for (let round = 0; round < 30; round++) {
    const x = 200 + ((round * 37) % 800);
    await call(service, 'POST', {
      path: `${at}/actions`,
      body: {
        actions: [
          { action: 'click', x, y: 400, button: 'right' },
          { action: 'wait', durationMs: 250 },
          { action: 'key', keys: ['Escape'] },
        ],
        screenshot: false,
      },
    });
    changed.push(...(await timeEach(1, () => look('format=webp'))));
  }
  let frameId = frameOf(await look('format=webp'));
  await Bun.sleep(500);
  // What did change in between, such as the clock of the panel, is no reading of this kind.
  const unchanged: number[] = [];
  for (let round = 0; round < 100; round++) {
    let answer: Response | undefined;
    const [ms] = await timeEach(1, async () => (answer = await look(`format=webp&since=${frameId}`)));
    if (answer?.status === 304) unchanged.push(ms!);
    else frameId = frameOf(answer!);
  }
  if (unchanged.length < 50) throw new Error(`only ${unchanged.length} of 100 looks at a quiet screen were unchanged`);
  return [
    figure('screenshot, changed (webp 1280×800), p50', 'ms', {
      value: quantile(changed, 0.5),
      at: '<=',
      reach: 150,
      detail: summary(changed),
    }),
    figure('screenshot, unchanged (since), p50', 'ms', {
      value: quantile(unchanged, 0.5),
      at: '<=',
      reach: 10,
      detail: summary(unchanged),
    }),
  ];
}

interface SharedSsh {
  /** Arguments that reach the desktop over the shared connection. */
  args: string[];
  host: string;
  control: string;
}

/** The `ssh` program with ControlMaster, by a key of its own that is put into the desktop for the comparison. */
async function openSharedSsh(
  service: Service,
  desktop: Record<string, unknown> & { id: string },
  folder: string,
): Promise<SharedSsh> {
  const key = join(folder, 'key');
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const publicKey = readFileSync(`${key}.pub`, 'utf8').trim();
  await call(service, 'POST', {
    path: `/v1/desktops/${desktop.id}/exec`,
    body: {
      command: `echo '${publicKey}' >> /etc/ssh/lebureau_authorized_keys`,
      user: 'root',
    },
  });
  // The way to port 22 is opened by the first use of files.
  await call(service, 'GET', `/v1/desktops/${desktop.id}/files/stat?path=/home/agent`);
  const host = String(desktop['ipAddress']);
  const control = join(folder, 'control');
  const args = [
    '-o',
    `ControlPath=${control}`,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'LogLevel=ERROR',
    '-i',
    key,
  ];
  spawn('ssh', [...args, '-o', 'ControlMaster=yes', '-N', `agent@${host}`], { stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries++) {
    if (spawnSync('ssh', [...args, '-O', 'check', `agent@${host}`], { stdio: 'ignore' }).status === 0)
      return { args, host: `agent@${host}`, control };
    await Bun.sleep(200);
  }
  throw new Error(`ssh could not reach ${host}`);
}

async function execFigures(service: Service, id: string, ssh: SharedSsh): Promise<Figure[]> {
  const ours = () => call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command: 'true' } });
  const theirs = () => run('ssh', [...ssh.args, ssh.host, 'true']);
  await ours();
  await theirs();
  const mine: number[] = [];
  const other: number[] = [];
  for (let round = 0; round < 30; round++) {
    mine.push(...(await timeEach(1, ours)));
    other.push(...(await timeEach(1, theirs)));
  }
  return [
    figure('exec true, p50', 'ms', { value: quantile(mine, 0.5), at: '<=', reach: 150, detail: summary(mine) }),
    figure('exec true / ssh program over a shared connection', 'ratio', {
      value: quantile(mine, 0.5) / quantile(other, 0.5),
      at: '<=',
      reach: 1.3,
      detail: { ssh: summary(other) },
    }),
  ];
}

async function fileFigures(service: Service, id: string, tools: { ssh: SharedSsh; folder: string }): Promise<Figure[]> {
  const { ssh, folder } = tools;
  const local = join(folder, 'twenty.bin');
  writeFileSync(local, crypto.getRandomValues(new Uint8Array(65_536)));
  const bytes = new Uint8Array(20 * MB);
  for (let at = 0; at < bytes.length; at += 65_536)
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, bytes.length)));
  writeFileSync(local, bytes);
  const url = (name: string) =>
    `${service.baseUrl}/v1/desktops/${id}/files/content?path=${encodeURIComponent(`/home/agent/${name}`)}`;
  const headers = { Authorization: `Bearer ${service.apiKey}`, 'Content-Type': 'application/octet-stream' };
  const upload = async () => expectOk(await fetch(url('ours.bin'), { method: 'PUT', headers, body: bytes }));
  const download = async () => expectOk(await fetch(url('ours.bin'), { headers }));
  const sftp = (line: string) => run('sftp', ['-q', ...ssh.args, '-b', '-', ssh.host], `${line}\n`);
  await upload();
  const readings = { up: [] as number[], sftpUp: [] as number[], down: [] as number[], sftpDown: [] as number[] };
  for (let round = 0; round < 5; round++) {
    readings.up.push(...(await timeEach(1, upload)));
    readings.sftpUp.push(...(await timeEach(1, () => sftp(`put ${local} /home/agent/theirs.bin`))));
    readings.down.push(...(await timeEach(1, download)));
    readings.sftpDown.push(
      ...(await timeEach(1, () => sftp(`get /home/agent/theirs.bin ${join(folder, 'back.bin')}`))),
    );
  }
  const speed = (times: number[]) => 20 / (quantile(times, 0.5) / 1000);
  const grown = await growth(service, id, { url: url('big.bin'), headers });
  return [
    figure('20 MB up / sftp program', 'ratio', {
      value: speed(readings.up) / speed(readings.sftpUp),
      at: '>=',
      reach: 0.9,
      detail: { ours: `${speed(readings.up).toFixed(1)} MB/s`, sftp: `${speed(readings.sftpUp).toFixed(1)} MB/s` },
    }),
    figure('20 MB down / sftp program', 'ratio', {
      value: speed(readings.down) / speed(readings.sftpDown),
      at: '>=',
      reach: 0.9,
      detail: { ours: `${speed(readings.down).toFixed(1)} MB/s`, sftp: `${speed(readings.sftpDown).toFixed(1)} MB/s` },
    }),
    figure('growth of API and hostd together over 500 MB up and down', 'MB', {
      value: grown.mb,
      at: '<=',
      reach: 32,
      detail: grown.detail,
    }),
  ];
}

/** The largest resident memory while 500 MB go up and down, over that before. */
async function growth(
  service: Service,
  id: string,
  target: { url: string; headers: Record<string, string> },
): Promise<{ mb: number; detail: Record<string, unknown> }> {
  const rss = () => residentMiB(service.pid('api')!) + residentMiB(service.pid('hostd')!);
  const before = rss();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, rss())), 50);
  const chunk = crypto.getRandomValues(new Uint8Array(65_536));
  let left = 500 * MB;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left <= 0) return controller.close();
      controller.enqueue(chunk.slice(0, Math.min(chunk.length, left)));
      left -= chunk.length;
    },
  });
  const beganMs = performance.now();
  await expectOk(await fetch(target.url, { method: 'PUT', headers: target.headers, body }));
  const upSeconds = (performance.now() - beganMs) / 1000;
  const response = await fetch(target.url, { headers: target.headers });
  let received = 0;
  for await (const part of response.body!) received += part.length;
  clearInterval(watch);
  await call(service, 'DELETE', `/v1/desktops/${id}/files?path=/home/agent/big.bin`);
  if (received !== 500 * MB) throw new Error(`received ${received} bytes of 500 MB`);
  return {
    mb: (most - before) * 1.048_576,
    detail: { beforeMiB: Math.round(before), mostMiB: Math.round(most), upMBps: Math.round(500 / upSeconds) },
  };
}

async function expectOk(response: Response): Promise<void> {
  const body = await response.arrayBuffer();
  if (!response.ok) throw new Error(`${response.status}: ${new TextDecoder().decode(body).slice(0, 500)}`);
}

function run(command: string, args: string[], input?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command}: ${complaint}`))));
    child.stdin.end(input ?? '');
  });
}
