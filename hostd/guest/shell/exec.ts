import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { components } from '@lebureau/openapi/node';
import type { InitChannel, InitExecResult } from '../init/channel.ts';
import { refuseNul, toText } from './text.ts';

type Schemas = components['schemas'];
type Common = Omit<Schemas['ExecBody'], 'command'>;

export interface ShellCall {
  clock: Clock;
  /** Aborts when whoever asked has gone away: the command and all of its session are killed. */
  signal?: AbortSignal;
}

export const defaultTimeoutSeconds = 30;
const defaultOutputBytes = 1_048_576;
/** Linux takes no single argument of 128 KiB, and the init channel no message of 256 KiB. */
const argumentMaxBytes = 96 * 1024;
const environmentMaxBytes = 120 * 1024;
const environmentMaxCount = 400;

const homes = { agent: '/home/agent', root: '/root' } as const;

/** One command line for /bin/sh. @throws Fault guest_unreachable, file_not_found (cwd), invalid_request, payload_too_large */
export async function exec(
  init: InitChannel,
  body: Schemas['ExecBody'],
  call: ShellCall,
): Promise<Schemas['ExecResult']> {
  refuseNul({ command: body.command });
  return run(init, { ...body, language: 'sh', source: body.command }, call);
}

/** A bash script, which may read the caller's `stdin`. */
export async function bash(
  init: InitChannel,
  body: Schemas['BashBody'],
  call: ShellCall,
): Promise<Schemas['ExecResult']> {
  refuseNul({ script: body.script });
  return run(init, { ...body, language: 'bash', source: body.script }, call);
}

/** Python 3 source, which may read the caller's `stdin`. */
export async function python(
  init: InitChannel,
  body: Schemas['PythonBody'],
  call: ShellCall,
): Promise<Schemas['ExecResult']> {
  refuseNul({ code: body.code });
  return run(init, { ...body, language: 'python', source: body.code }, call);
}

interface Program extends Common {
  language: 'sh' | 'bash' | 'python';
  source: string;
}

async function run(init: InitChannel, program: Program, call: ShellCall): Promise<Schemas['ExecResult']> {
  const user = program.user ?? 'agent';
  const cwd = workingFolder(user, program.cwd);
  checkEnvironment(program.env);
  const startedMs = call.clock.monotonicMs();
  const result = await init.exec({
    ...launch(program),
    user,
    cwd,
    env: program.env,
    timeoutMs: (program.timeoutSeconds ?? defaultTimeoutSeconds) * 1000,
    outputMaxBytes: program.outputMaxBytes ?? defaultOutputBytes,
    signal: call.signal,
  });
  refuseFailedStart(result, cwd);
  return {
    stdout: toText(result.stdout),
    stderr: toText(result.stderr),
    exitCode: result.exitCode,
    timedOut: result.timedOut,
    truncated: result.truncated,
    durationMs: Math.round((call.clock.monotonicMs() - startedMs) * 10) / 10,
  };
}

/** Absolute, or relative to the home folder of the user. @throws Fault invalid_path */
export function workingFolder(user: 'agent' | 'root', cwd: string | undefined): string | undefined {
  if (cwd === undefined || cwd === '' || cwd === '~') return undefined;
  if (cwd.includes('\0')) throw new Fault('invalid_path', 'cwd contains NUL.');
  if (cwd.startsWith('/')) return cwd;
  return `${homes[user]}/${cwd.startsWith('~/') ? cwd.slice(2) : cwd}`;
}

/** @throws Fault payload_too_large, invalid_request */
export function checkEnvironment(env: Readonly<Record<string, string>> | undefined): void {
  const entries = Object.entries(env ?? {});
  refuseNul(env ?? {});
  const bytes = entries.reduce((sum, [name, value]) => sum + name.length + Buffer.byteLength(value) + 6, 0);
  if (bytes > environmentMaxBytes || entries.length > environmentMaxCount)
    throw new Fault(
      'payload_too_large',
      `env may have ${environmentMaxCount} variables and ${environmentMaxBytes} bytes.`,
      {
        hint: 'Write the values to a file.',
      },
    );
}

/** The init process says 127 or 126 with its own words on stderr when it could not enter the folder. */
export function refuseFailedStart(result: InitExecResult, cwd: string | undefined): void {
  if (cwd === undefined || (result.exitCode !== 127 && result.exitCode !== 126)) return;
  const reason = /^\/\S+: working directory: (No such file or directory|Not a directory|Permission denied)\n$/.exec(
    toText(result.stderr),
  )?.[1];
  if (reason === undefined || result.stdout.length > 0) return;
  if (reason === 'Permission denied') throw new Fault('permission_denied', `cwd ${cwd} may not be entered.`);
  if (reason === 'Not a directory') throw new Fault('not_a_directory', `cwd ${cwd} is not a folder.`);
  throw new Fault('file_not_found', `cwd ${cwd} does not exist.`);
}

const inline = {
  sh: ['/bin/sh', '-c'],
  bash: ['/bin/bash', '-c'],
  python: ['/usr/bin/python3', '-c'],
} as const;

/** Source that is too long for an argument comes first on stdin and is kept in a file that has no name any more. */
const fromFile = {
  sh: ['/bin/sh', '-c', '. /dev/fd/9'],
  bash: ['/bin/bash', '-c', '. /dev/fd/9'],
  python: ['/usr/bin/python3', '-c', 'exec(compile(open("/dev/fd/9", encoding="utf-8").read(), "<string>", "exec"))'],
} as const;
const keepSource =
  'n=$1; shift; f=$(mktemp) && head -c "$n" >"$f" && exec 9<"$f" && rm -f -- "$f" && exec "$@"; exit 126';

function launch(program: Program): { argv: string[]; stdin?: Uint8Array } {
  const { language, source } = program;
  const stdin = program.stdin === undefined ? undefined : Buffer.from(program.stdin);
  const bytes = Buffer.from(source);
  if (bytes.length <= argumentMaxBytes) return { argv: [...inline[language], source], stdin };
  const argv = ['/bin/sh', '-c', keepSource, 'sh', String(bytes.length), ...fromFile[language]];
  return { argv, stdin: stdin === undefined ? bytes : Buffer.concat([bytes, stdin]) };
}
