import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { startService, templateHome } from './system/product.ts';

/**
 * `npm run demo`: the official MCP client drives lb-mcp as an assistant would. It makes a desktop, opens a terminal there
 * with mouse and keys, types a file, reads it back, uploads 20 MB and deletes the desktop. It throws at the first thing
 * that is not as it must be, so it is a test too.
 */

export interface DemoOptions {
  baseUrl: string;
  apiKey: string;
  /** Where the pictures go. */
  outFolder: string;
  size?: string;
  say?: (line: string) => void;
}

export interface DemoReport {
  desktopId: string;
  startMode: unknown;
  steps: { name: string; ms: number }[];
  /** Paths, in order. */
  pictures: string[];
}

const root = join(import.meta.dirname, '..');
const typed = 'é€日本語';
const uploadBytes = 20 * 1_048_576;
const bootRoundsMax = 20;
const readRoundsMax = 20;
/** Beside the menu on the panel of the template, whose screen is 1280×800. */
const terminalLauncher = { x: 123, y: 784 };

export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const folder = mkdtempSync(join(tmpdir(), 'lebureau-demo-'));
  mkdirSync(options.outFolder, { recursive: true });
  const agent = await Agent.connect(options, folder);
  try {
    await agent.step('create a desktop and wait until it is ready', () => agent.createDesktop(options.size ?? 'nano'));
    await agent.step('look', () => agent.look('1-first-look'));
    await agent.step('open a terminal with mouse and keys', () => openTerminal(agent));
    await agent.step('type a file', () => typeFile(agent));
    await agent.step('read it back', () => readBack(agent));
    await agent.step('run a command', () => runCommand(agent));
    await agent.step('upload 20 MB and compare checksums in the guest', () => upload(agent, folder));
    await agent.step('look again', () => agent.look('3-at-the-end'));
    await agent.step('delete, confirmed', () => agent.deleteDesktop());
    return agent.report;
  } finally {
    await agent.close();
    rmSync(folder, { recursive: true });
  }
}

async function openTerminal(agent: Agent): Promise<void> {
  await agent.must('desktop_actions', {
    screenshot: false,
    actions: [
      { action: 'click', ...terminalLauncher },
      { action: 'waitUntil', until: 'window', text: 'Terminal', timeoutMs: 38_000 },
    ],
  });
  const { text } = await agent.must('desktop_windows', {});
  const window = agent
    .untrusted(text)
    .split('\n')
    .map((line) => JSON.parse(line) as TerminalWindow)
    .find((each) => /terminal/i.test(each.className));
  if (!window) throw new Error(`No window is a terminal: ${text}`);
  // A click into it is what a person does before typing, and the prompt, which also sets the title, is what they wait for.
  const middle = { x: window.x + window.width / 2, y: window.y + window.height / 2 };
  await agent.must('desktop_click', middle);
  const prompt = { action: 'waitUntil', until: 'window', text: 'agent@', timeoutMs: 38_000 };
  await agent.must('desktop_actions', { screenshot: false, actions: [prompt] });
}

interface TerminalWindow {
  className: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

async function typeFile(agent: Agent): Promise<void> {
  await agent.must('desktop_actions', {
    screenshot: false,
    actions: [
      { action: 'type', text: 'cat > typed.txt', pressEnter: true },
      { action: 'type', text: typed, pressEnter: true },
      { action: 'key', keys: ['ctrl', 'd'] },
      // What is typed ahead of the prompt would be shown twice.
      { action: 'waitUntil', until: 'stable', quietMs: 500, timeoutMs: 10_000 },
      { action: 'type', text: 'cat typed.txt', pressEnter: true },
      { action: 'waitUntil', until: 'stable', quietMs: 700, timeoutMs: 10_000 },
    ],
  });
  await agent.look('2-terminal');
}

async function readBack(agent: Agent): Promise<void> {
  // The shell works off what was typed in its own time.
  for (let round = 0; ; round++) {
    const said = await agent.call('desktop_files_read', { path: '/home/agent/typed.txt' });
    const text = said.failed ? said.text : agent.untrusted(said.text);
    if (text === `${typed}\n`) return;
    if (round === readRoundsMax) mustEqual('the file typed in the terminal', text, `${typed}\n`);
    await agent.must('desktop_actions', { screenshot: false, actions: [{ action: 'wait', durationMs: 500 }] });
  }
}

async function runCommand(agent: Agent): Promise<void> {
  const { text } = await agent.must('desktop_exec', { command: 'cat typed.txt | wc -m; whoami' });
  mustEqual('the output of the command', agent.untrusted(text), '6\nagent\n');
}

async function upload(agent: Agent, folder: string): Promise<void> {
  const bytes = randomBytes(uploadBytes);
  writeFileSync(join(folder, 'twenty.bin'), bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const { text } = await agent.must('desktop_files_upload', {
    localPath: 'twenty.bin',
    path: '/home/agent/twenty.bin',
  });
  if (!text.includes(sha256)) throw new Error(`The upload answers another checksum than ${sha256}: ${text}`);
  const said = await agent.must('desktop_exec', {
    command: 'sha256sum twenty.bin | cut -d" " -f1; stat -c %s twenty.bin',
  });
  mustEqual('size and checksum in the guest', agent.untrusted(said.text), `${sha256}\n${uploadBytes}\n`);
}

interface Said {
  text: string;
  image: Buffer | undefined;
  data: Record<string, unknown>;
  failed: boolean;
}

/** The assistant's side of the protocol. */
class Agent {
  readonly report: DemoReport = { desktopId: '', startMode: undefined, steps: [], pictures: [] };
  readonly #client: Client;
  readonly #options: DemoOptions;
  #questions: string[] = [];

  private constructor(client: Client, options: DemoOptions) {
    this.#client = client;
    this.#options = options;
  }

  static async connect(options: DemoOptions, localRoot: string): Promise<Agent> {
    const client = new Client({ name: 'lebureau-demo', version: '1.0.0' }, { capabilities: { elicitation: {} } });
    const agent = new Agent(client, options);
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      agent.#questions.push(params.message);
      return { action: 'accept', content: { confirm: true } };
    });
    const env = { ...plainEnvironment(), LEBUREAU_API_KEY: options.apiKey, LEBUREAU_BASE_URL: options.baseUrl };
    const args = [join(root, 'mcp', 'bin.ts'), '--local-root', localRoot];
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'inherit' }));
    return agent;
  }

  async step(name: string, run: () => Promise<void>): Promise<void> {
    const startMs = performance.now();
    try {
      await run();
    } catch (error) {
      throw new Error(`The demo failed at "${name}"`, { cause: error });
    }
    const ms = Math.round(performance.now() - startMs);
    this.report.steps.push({ name, ms });
    this.#options.say?.(`${String(ms).padStart(7)} ms  ${name}`);
  }

  async createDesktop(size: string): Promise<void> {
    const made = await this.must('desktops_create', { name: 'demo', size, ephemeral: true });
    this.report.desktopId = String(made.data.id);
    let { data } = made;
    for (let round = 0; data.ready !== true; round++) {
      if (round === bootRoundsMax) throw new Error(`Not ready after ${bootRoundsMax} rounds: ${JSON.stringify(data)}`);
      ({ data } = await this.must('desktops_wait', {}));
    }
    this.report.startMode = data.startMode;
  }

  async look(name: string): Promise<void> {
    const { image } = await this.must('desktop_screenshot', { format: 'png' });
    if (image?.subarray(1, 4).toString() !== 'PNG') throw new Error('The screenshot is no PNG');
    const size = [image.readUInt32BE(16), image.readUInt32BE(20)].join('×');
    mustEqual('the size of the screen', size, '1280×800');
    const path = join(this.#options.outFolder, `${name}.png`);
    writeFileSync(path, image);
    this.report.pictures.push(path);
  }

  async deleteDesktop(): Promise<void> {
    await this.must('desktops_delete', {});
    if (this.#questions.length !== 1) throw new Error(`The user was asked ${this.#questions.length} times`);
    const { data } = await this.must('desktops_wait', { goal: 'destroyed' });
    mustEqual('the status at the end', data.status, 'destroyed');
  }

  /** A tool call that must succeed. */
  must(name: string, args: Record<string, unknown>): Promise<Said> {
    return mustSucceed(this.call(name, args));
  }

  async call(name: string, args: Record<string, unknown>): Promise<Said> {
    const named = name === 'desktops_create' ? args : { desktopId: this.report.desktopId, ...args };
    const result = await this.#client.callTool({ name, arguments: named });
    const content = (result.content ?? []) as { type: string; text?: string; data?: string }[];
    const image = content.find((block) => block.type === 'image')?.data;
    return {
      text: content.map((block) => block.text ?? '').join('\n'),
      image: image === undefined ? undefined : Buffer.from(image, 'base64'),
      data: (result.structuredContent ?? {}) as Record<string, unknown>,
      failed: result.isError === true,
    };
  }

  /** What stands in the first labelled block of an answer. */
  untrusted(text: string): string {
    const block = /<(untrusted-[0-9a-f]+) [^\n]*>\n([\s\S]*?)\n<\/\1>/.exec(text);
    if (block?.[2] === undefined) throw new Error(`There is no labelled block in: ${text}`);
    return block[2];
  }

  async close(): Promise<void> {
    // A demo that failed leaves no desktop behind.
    const last = this.report.steps.at(-1)?.name ?? '';
    if (this.report.desktopId !== '' && !last.startsWith('delete')) {
      await this.call('desktops_delete', {}).catch(() => undefined);
    }
    await this.#client.close();
  }
}

async function mustSucceed(answer: Promise<Said>): Promise<Said> {
  const said = await answer;
  if (said.failed) throw new Error(said.text);
  return said;
}

function mustEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) {
    throw new Error(`${what} is ${JSON.stringify(actual)} and must be ${JSON.stringify(expected)}`);
  }
}

function plainEnvironment(): Record<string, string> {
  const { PATH = '/usr/bin:/bin', HOME = '/' } = process.env;
  return { PATH, HOME };
}

/** The first key, where `npm start` keeps it. */
function keyOfThisMachine(): string | undefined {
  const home =
    process.env['LEBUREAU_HOME'] ?? (process.getuid?.() === 0 ? '/var/lib/lebureau' : join(homedir(), '.lebureau'));
  try {
    return readFileSync(join(home, 'api-key'), 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const outFolder = join(root, 'demo-out');
  const say = (line: string) => console.log(line);
  const baseUrl = process.env['LEBUREAU_BASE_URL'] ?? 'http://127.0.0.1:7070';
  const apiKey = process.env['LEBUREAU_API_KEY'] ?? keyOfThisMachine();
  const runs = await fetch(`${baseUrl}/readyz`).then(
    (answer) => answer.ok,
    () => false,
  );
  if (runs && apiKey !== undefined) {
    say(`${(await runDemo({ baseUrl, apiKey, outFolder, say })).pictures.length} pictures in ${outFolder}`);
    return;
  }
  if (templateHome === undefined) {
    throw new Error(
      runs
        ? 'No API key: set LEBUREAU_API_KEY, or run as the user of npm start, whose key file is read'
        : `Le Bureau does not answer at ${baseUrl}. Start it first (npm start), or set LEBUREAU_BASE_URL`,
    );
  }
  const service = await startService();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void service.close().finally(() => process.exit(1)));
  }
  try {
    await runDemo({ baseUrl: service.baseUrl, apiKey: service.apiKey, outFolder, say });
    say(`The pictures are in ${outFolder}`);
  } finally {
    await service.close();
  }
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    for (let at = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
      console.error(at instanceof Error ? at.message : at);
    }
    process.exitCode = 1;
  });
}
