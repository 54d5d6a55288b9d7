import { LeBureau } from '@lebureau/sdk';
import type { Desktop } from '@lebureau/sdk/desktop';
import type { LiveStream } from '@lebureau/sdk/liveStream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { pointerMessage, RfbViewer } from '../doubles/rfbViewer.ts';
import { createReady, type Service, startService, vmSkipReason } from './product.ts';

const skip = vmSkipReason();

describe.skipIf(skip !== undefined)(`live streams of a real desktop ${skip ?? ''}`, () => {
  let service: Service;
  let client: LeBureau;
  let desktop: Desktop;
  const open: LiveStream[] = [];
  beforeAll(async () => {
    service = await startService();
    client = new LeBureau({ apiKey: service.apiKey, baseUrl: service.baseUrl });
    desktop = client.desktop((await createReady(service)).id);
  });
  afterEach(() => {
    for (const stream of open.splice(0)) stream.close();
  });
  afterAll(() => service?.close());

  const kept = (stream: LiveStream) => {
    open.push(stream);
    return stream;
  };
  const view = async (mode: 'view' | 'control', from = desktop) =>
    RfbViewer.open(kept(await from.streams.screen(mode)));
  /** How far the X server has the pointer from there; a tablet counts in parts of the screen, so not to the pixel. */
  const far = async (x: number, y: number) => {
    const { results } = await desktop.computer.actions({ actions: [{ action: 'cursorPosition' }], screenshot: false });
    const at = results[0]!.result as { x: number; y: number };
    return Math.max(Math.abs(at.x - x), Math.abs(at.y - y));
  };
  const codeOf = async (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );

  test('a viewer sees the screen without a password, beside others', async () => {
    const [one, two] = await Promise.all([view('view'), view('view')]);
    expect([one.width, one.height]).toEqual([1280, 800]);
    await one.look();
    await two.look();
    expect(one.bytes).toBeGreaterThan(1280 * 800 * 4);
    await one.look();
    await one.pointer(3, 3);
    expect(one.stream.control).toMatchObject({ type: 'control', holder: null, isYours: false });
  });

  test('who may only watch takes screens until there are none for them, and the others still see and write', async () => {
    const watcher = async () => {
      const { secret } = await client.keys.create({ name: 'watcher', capabilities: ['desktop:view'] });
      return new LeBureau({ apiKey: secret, baseUrl: service.baseUrl, retriesMax: 0 }).desktop(desktop.id);
    };
    const fill = async (from: Desktop) => {
      for (let count = 0; count < 40; count++) {
        const more = await from.streams.screen('view').catch((error: { code?: string; hint?: string }) => error);
        if (!('close' in more)) return { count, code: more.code, hint: more.hint };
        await RfbViewer.open(kept(more));
      }
      return { count: 40 };
    };
    const hint = expect.stringContaining('Close one of them');
    expect(await fill(await watcher())).toEqual({ count: 12, code: 'rate_limited', hint });
    expect(await fill(await watcher())).toMatchObject({ count: 11, code: 'rate_limited' });
    const writer = await view('control');
    await writer.look();
    expect((await desktop.computer.screenshot()).frame.width).toBeGreaterThan(0);
    const again = async () => {
      for (const stream of open.splice(0)) stream.close();
      return (await fill(await watcher())).count;
    };
    await expect.poll(again).toBe(12);
  });

  test('who does not hold control moves nothing, whatever is sent and however it is cut', async () => {
    await desktop.computer.move({ x: 640, y: 400 });
    const looker = await view('view');
    const writer = await view('control');
    for (const viewer of [looker, writer]) {
      await viewer.pointer(100, 100, 1);
      const message = pointerMessage(200, 200, 1);
      for (const byte of message) await viewer.stream.send(Buffer.from([byte]));
      await viewer.look();
    }
    expect(await far(640, 400)).toBeLessThan(3);
    await using lease = await desktop.control.take({ kind: 'human', name: 'Ada' });
    // One that only looks writes nothing even with the token.
    looker.stream.useControl(lease.leaseToken);
    await looker.pointer(300, 300);
    await looker.look();
    expect(await far(640, 400)).toBeLessThan(3);
    writer.stream.useControl(lease.leaseToken);
    await expect.poll(() => writer.stream.control?.isYours).toBe(true);
    await writer.pointer(321, 123);
    await writer.look();
    await expect.poll(() => far(321, 123)).toBeLessThan(3);
    expect(looker.stream.control).toMatchObject({ holder: { kind: 'human', name: 'Ada' }, isYours: false });
  });

  test('while a person has control agents look and are told; handed back, they write again and the person does not', async () => {
    const agent = client.desktop(desktop.id);
    const lease = await desktop.control.take({ kind: 'human', name: 'Ada', ttlSeconds: 60 });
    const writer = await view('control');
    await expect.poll(() => writer.stream.control?.isYours).toBe(true);
    expect(await codeOf(agent.computer.click({ x: 5, y: 5 }))).toBe('human_control');
    expect(await codeOf(agent.computer.type('x'))).toBe('human_control');
    expect(await codeOf(agent.clipboard.set('x'))).toBe('human_control');
    expect(await codeOf(agent.control.take({ kind: 'agent' }))).toBe('human_control');
    expect(await codeOf(agent.computer.screenshot())).toBe('done');
    expect(await codeOf(agent.exec('true'))).toBe('done');
    await expect.poll(async () => (await agent.refresh()).control?.name).toBe('Ada');
    await writer.key(0xffe1);
    await writer.pointer(50, 60, 1);
    // The stream and the call are two connections: neither waits for the other.
    await expect.poll(() => far(50, 60)).toBeLessThan(3);
    await lease.handBack();
    await expect.poll(() => writer.stream.control?.isYours).toBe(false);
    await writer.pointer(400, 400);
    // The token that was handed back is worth nothing, on this stream and on another.
    writer.stream.useControl(lease.leaseToken);
    await writer.pointer(500, 500);
    await writer.look();
    expect(await far(50, 60)).toBeLessThan(3);
    expect(await codeOf(agent.computer.move({ x: 10, y: 20 }))).toBe('done');
    await expect.poll(async () => (await agent.refresh()).control).toBeNull();
  });

  test('a batch that runs is ended when a person takes control', async () => {
    const agent = client.desktop(desktop.id);
    const actions = Array.from({ length: 20 }, (_, at) => [
      { action: 'move' as const, x: 100 + at, y: 100 },
      { action: 'wait' as const, durationMs: 500 },
    ]).flat();
    const running = codeOf(agent.computer.actions({ actions }));
    await Bun.sleep(1_000);
    await using _lease = await desktop.control.take({ kind: 'human' });
    expect(await running).toBe('human_control');
  });

  test('nonsense ends a viewer and nobody else', async () => {
    const good = await view('view');
    const bad = await view('view');
    await bad.stream.send(Buffer.from([99, 1, 2, 3]));
    expect((await bad.stream.closed).code).toBe(4400);
    await good.look();
  });

  /** Types into a terminal and waits for this in what it shows. */
  const shows = async (terminal: LiveStream, typed: string, expected: RegExp) => {
    let shown = '';
    if (typed !== '') await terminal.send(typed);
    const limit = setTimeout(() => terminal.close(), 60_000);
    for await (const piece of terminal) {
      shown += Buffer.from(piece).toString('utf8');
      if (expected.test(shown)) break;
    }
    clearTimeout(limit);
    expect(shown).toMatch(expected);
  };

  test('a terminal goes on over a lost connection and a restart of hostd, and is recorded when asked', async () => {
    const terminal = kept(await desktop.streams.terminal({ name: 'work', columns: 100, rows: 30, record: true }));
    await shows(terminal, 'stty size; echo h\u00e9ll\u00f6-$((40+2))\r', /30 100[^]*h\u00e9ll\u00f6-42/);
    terminal.resize(120, 40);
    await shows(terminal, 'MARK=kept-$((1+1)); stty size\r', /40 120/);
    terminal.close();
    const again = kept(await desktop.streams.terminal({ name: 'work', columns: 120, rows: 40 }));
    await shows(again, 'echo $MARK\r', /kept-2/);
    const other = kept(await desktop.streams.terminal({ name: 'other' }));
    await shows(other, 'echo "[$MARK]"\r', /\[\]/);
    const names = (await desktop.terminals.list()).map(({ name, attached }) => `${name} ${attached}`);
    expect(names.toSorted()).toEqual(['other true', 'work true']);
    const end = again.closed;
    await service.kill('hostd');
    expect((await end).code).toBe(4503);
    await service.start('hostd');
    await expect.poll(async () => codeOf(desktop.terminals.list({ retriesMax: 0 })), { timeout: 60_000 }).toBe('done');
    const third = kept(await desktop.streams.terminal({ name: 'work' }));
    await shows(third, 'echo $MARK\r', /kept-2/);
    const recording = await desktop.terminals.recording('work');
    expect(JSON.parse(recording.split('\n')[0]!)).toMatchObject({ version: 2, width: 100, height: 30 });
    expect(recording).toContain('h\u00e9ll\u00f6-42');
    await desktop.terminals.delete('work');
    expect((await third.closed).code).toBe(1000);
    expect(await codeOf(desktop.terminals.recording('work'))).toBe('not_found');
  });

  test('a port of the desktop answers through a stream', async () => {
    await desktop.processes.start({ command: 'python3 -m http.server 8123 --bind 0.0.0.0', cwd: '/etc' });
    await expect
      .poll(async () => (await desktop.exec('exec 3<>/dev/tcp/127.0.0.1/8123 && echo up', {})).stdout, {
        timeout: 30_000,
      })
      .toBeDefined();
    const ask = async () => {
      const port = kept(await desktop.streams.port(8123));
      await port.send('GET /hostname HTTP/1.0\r\n\r\n');
      let answer = '';
      for await (const piece of port) answer += Buffer.from(piece).toString();
      return answer;
    };
    await expect.poll(ask, { timeout: 30_000 }).toMatch(/^HTTP\/1\.0 200 OK[^]*\w+\n$/);
  });

  test('a desktop that is deleted takes its streams with it', async () => {
    const doomed = client.desktop((await createReady(service)).id);
    const viewer = await view('view', doomed);
    await viewer.look();
    await doomed.delete();
    expect((await viewer.stream.closed).code).toBe(4404);
  });
});
