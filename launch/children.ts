import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { exitConfig } from '@lebureau/kit/config';

/** One of our long-running programs and how it is kept running. */
export interface Program {
  name: string;
  command: string[];
  environment: Record<string, string>;
  /** Its output goes here. */
  logPath: string;
}

const restartsMax = 5;
const restartWindowMs = 60_000;
/** Exit code by which hostd says that another hostd has taken over. */
const supersededCode = 75;

export interface Running {
  /** Asks it to drain, and cuts it off after `limitMs`. */
  stop(limitMs: number): Promise<void>;
}

/**
 * Runs a program and starts it again when it ends by itself, after a growing pause. More than five ends in a minute, a
 * configuration it refuses and a successor are final: `onGivenUp` gets one sentence.
 */
export function keepRunning(program: Program, onGivenUp: (sentence: string) => void): Running {
  const ends: number[] = [];
  let child: ChildProcess | undefined;
  let stopping = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const begin = () => {
    child = launch(program);
    child.on('error', (error) => {
      child = undefined;
      if (!stopping) onGivenUp(`${program.name} could not be started: ${error.message}`);
    });
    child.on('exit', (code) => {
      child = undefined;
      if (stopping) return;
      const now = Date.now();
      ends.push(now);
      while (ends[0]! < now - restartWindowMs) ends.shift();
      const sentence = finalSentence(program, code, ends.length);
      if (sentence !== undefined) return onGivenUp(sentence);
      timer = setTimeout(begin, Math.min(10_000, 200 * 2 ** ends.length) * (0.5 + Math.random() / 2));
    });
  };
  begin();

  return {
    async stop(limitMs) {
      stopping = true;
      clearTimeout(timer);
      const ending = child;
      if (ending === undefined) return;
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => ending.kill('SIGKILL'), limitMs);
        ending.on('exit', () => {
          clearTimeout(cut);
          resolve();
        });
        ending.kill('SIGTERM');
      });
    },
  };
}

function launch(program: Program): ChildProcess {
  const log = openSync(program.logPath, 'a', 0o600);
  try {
    // Were the launcher killed, the programs drain too instead of holding the ports without an owner.
    return spawn('setpriv', ['--pdeathsig', 'TERM', ...program.command], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...program.environment },
      // A session of its own: Ctrl-C reaches only the launcher, which drains in order.
      detached: true,
    });
  } finally {
    closeSync(log);
  }
}

/** Why it is not started again; undefined: it is. */
function finalSentence({ name, logPath }: Program, code: number | null, ends: number): string | undefined {
  if (code === supersededCode) return `Another ${name} has taken over; this one has stopped.`;
  if (code === exitConfig) return `${name} refuses its configuration: ${lastLine(logPath)}`;
  if (ends <= restartsMax) return undefined;
  return `${name} keeps ending (exit code ${code}). Its log says why: ${logPath}`;
}

function lastLine(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)?.trim().slice(0, 500) ?? '';
}
