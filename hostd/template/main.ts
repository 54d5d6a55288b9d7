import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '@lebureau/kit/fault';
import { buildTemplate } from './build.ts';
import type { TemplateProgress } from './progress.ts';
import type { SuiteWish } from './chooseSuite.ts';
import { suites } from './suites.ts';
import { warmTemplate } from './warm.ts';

const suiteWords = [...Object.keys(suites), 'auto'];
const usage = `bun hostd/template/main.ts --home DIR [--cache DIR] [--suite ${suiteWords.join('|')}] [--size VCPUSxMIB]… [--json]`;

interface Arguments {
  home: string;
  cacheDir: string;
  suite?: SuiteWish;
  sizes: { vcpus: number; memoryMiB: number }[];
  json: boolean;
}

function readArguments(argv: string[]): Arguments {
  const { values } = parseArgs({
    args: argv,
    options: {
      home: { type: 'string' },
      cache: { type: 'string' },
      suite: { type: 'string' },
      size: { type: 'string', multiple: true },
      json: { type: 'boolean' },
    },
  });
  if (!values.home) throw new Error(`usage: ${usage}`);
  if (values.suite !== undefined && !suiteWords.includes(values.suite))
    throw new Error(`there is no suite ${values.suite}; usage: ${usage}`);
  return {
    home: resolve(values.home),
    cacheDir: resolve(values.cache ?? join(homedir(), '.cache', 'lebureau')),
    suite: values.suite as SuiteWish,
    sizes: (values.size ?? []).map(readSize),
    json: values.json ?? false,
  };
}

function readSize(text: string): { vcpus: number; memoryMiB: number } {
  const match = /^(\d{1,3})x(\d{3,7})$/.exec(text);
  if (!match) throw new Error(`${text} is no size; an example is 1x1024`);
  return { vcpus: Number(match[1]), memoryMiB: Number(match[2]) };
}

/** One JSON object a line: progress events, then `{"templateId", "warmKeys"}`; an error as `{"error"}`. */
async function run(): Promise<number> {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => abort.abort(new Error(`interrupted by ${signal}; nothing half-made is left`)));
  }
  const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
  try {
    const { home, cacheDir, suite, sizes, json } = readArguments(process.argv.slice(2));
    const onProgress = (progress: TemplateProgress) =>
      json ? say(progress) : process.stderr.write(`${lineOf(progress)}\n`);
    const template = await buildTemplate({ home, cacheDir, suite, onProgress, signal: abort.signal });
    const warmKeys: string[] = [];
    for (const size of sizes) {
      warmKeys.push(await warmTemplate({ home, templateId: template.id, size, onProgress, signal: abort.signal }));
    }
    say({ templateId: template.id, warmKeys });
    return 0;
  } catch (error) {
    say({ error: describeError(error) });
    return 1;
  }
}

function lineOf(progress: TemplateProgress): string {
  const sizes = progress.totalMiB === undefined ? '' : ` ${progress.doneMiB} of ${progress.totalMiB} MB`;
  const left = progress.secondsLeft === undefined ? '' : `, about ${progress.secondsLeft} s left`;
  return `${Math.round(progress.fraction * 100)} % ${progress.stage}${sizes}${left}`;
}

process.exitCode = await run();
