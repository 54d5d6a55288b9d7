import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Fault } from '@lebureau/kit/fault';

export interface CommandOptions {
  signal: AbortSignal;
  timeoutMs: number;
  env?: Record<string, string>;
  cwd?: string;
  onLine?: (line: string) => void;
}

const keptLinesMax = 40;

/**
 * Runs a program of the build in a process group of its own, so that an abort ends its children too.
 * @throws Fault `needs_operator` with its last lines when it fails or is missing.
 */
export async function runCommand(argv: readonly [string, ...string[]], options: CommandOptions): Promise<void> {
  options.signal.throwIfAborted();
  const [program, ...rest] = argv;
  const environment = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    ...options.env,
  };
  const child = spawn(program, rest, {
    cwd: options.cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const kept: string[] = [];
  const take = (line: string) => {
    kept.push(line.slice(0, 500));
    if (kept.length > keptLinesMax) kept.shift();
    options.onLine?.(line);
  };
  createInterface({ input: child.stdout }).on('line', take);
  createInterface({ input: child.stderr }).on('line', take);
  let timedOut = false;
  const kill = () => killGroup(child.pid);
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, options.timeoutMs);
  options.signal.addEventListener('abort', kill, { once: true });
  const [code, cause] = await new Promise<[number | null, unknown?]>((resolve) => {
    child.on('error', (error) => resolve([null, error]));
    child.on('close', (exitCode) => resolve([exitCode]));
  });
  clearTimeout(timer);
  options.signal.removeEventListener('abort', kill);
  options.signal.throwIfAborted();
  if (code === 0) return;
  if (cause) throw new Fault('needs_operator', `${program} cannot be run; is its package installed?`, { cause });
  const how = timedOut ? `did not end within ${options.timeoutMs / 1000} s` : `failed with code ${code}`;
  throw new Fault('needs_operator', `${program} ${how}:\n${kept.slice(-8).join('\n')}`);
}

/**
 * Puts a program into mount and process namespaces of its own: when it is killed, every descendant dies and every mount
 * it made is gone.
 */
export function isolated(argv: readonly string[]): [string, ...string[]] {
  return [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--',
    ...argv,
  ];
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
