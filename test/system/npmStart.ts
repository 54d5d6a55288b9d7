import { type ChildProcess, spawn } from 'node:child_process';
import { waitFor } from './product.ts';

/** `npm start` as a person runs it, in a process group of its own. */
export interface NpmStart {
  child: ChildProcess;
  /** What it has printed so far. */
  output: () => string;
  /** Its exit code, when it and all it started have let go of the pipes. */
  ended: Promise<number | null>;
  /** What a terminal does on Ctrl-C: SIGINT to the whole foreground group. */
  interrupt: () => Promise<number | null>;
  /** SIGKILL for the group, if it still runs. */
  kill: () => void;
}

export function npmStart(folder: string, environment: Record<string, string>): NpmStart {
  const child = spawn('npm', ['start', '--silent', '--', '--yes'], {
    cwd: folder,
    env: { ...process.env, LEBUREAU_TEST_HOME: undefined, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // `close`: npm itself may end at SIGINT before what it started has drained, which still holds the pipes.
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return {
    child,
    output: () => output,
    ended,
    interrupt: () => {
      process.kill(-child.pid!, 'SIGINT');
      return ended;
    },
    kill: () => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended, as it should.
      }
    },
  };
}

/** Resolves when the way in is printed. @throws Error with the output when it ends before. */
export async function untilRunning(run: NpmStart): Promise<void> {
  await waitFor(() => Promise.resolve(run.output().includes('Ctrl-C') || run.child.exitCode !== null), run.output);
  if (!run.output().includes('Le Bureau is running.')) throw new Error(run.output());
}
