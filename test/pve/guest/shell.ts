export interface Outcome {
  exitcode?: number;
  signal?: number;
  out: string;
  err: string;
  sleepMs: number;
}

/**
 * A very small `sh -c` for guests that are not there: echo, cat, sleep, true, false, exit, kill, `>&2`, `;` and `&&`.
 * Nothing of it touches the machine the tests run on.
 */
export function runScript(script: string, input: string): Outcome {
  const outcome: Outcome = { exitcode: 0, out: '', err: '', sleepMs: 0 };
  for (const line of script.split(/;|\n/)) {
    for (const command of line.split('&&')) {
      const ended = runCommand(command.trim(), input, outcome);
      if (ended) return outcome;
      if (outcome.exitcode !== 0) break;
    }
  }
  return outcome;
}

function runCommand(command: string, input: string, outcome: Outcome): boolean {
  if (command === '') return false;
  const toErr = />\s*&2/.test(command);
  const words = command
    .replace(/>\s*&2/, '')
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/^(["'])(.*)\1$/, '$2'));
  const [name = '', ...rest] = words;
  const say = (text: string) => {
    if (toErr) outcome.err += text;
    else outcome.out += text;
  };
  outcome.exitcode = 0;
  switch (name.replace(/^.*\//, '')) {
    case 'echo':
      say(`${rest.join(' ')}\n`);
      return false;
    case 'cat':
      say(input);
      return false;
    case 'sleep':
      outcome.sleepMs += Number(rest[0] ?? 0) * 1000;
      return false;
    case 'true':
    case ':':
      return false;
    case 'false':
      outcome.exitcode = 1;
      return false;
    case 'exit':
      outcome.exitcode = Number(rest[0] ?? 0);
      return true;
    case 'kill':
      delete outcome.exitcode;
      outcome.signal = Number((rest[0] ?? '-15').slice(1));
      return true;
    default:
      outcome.err += `sh: 1: ${name}: not found\n`;
      outcome.exitcode = 127;
      return false;
  }
}
