import type { ExecResult } from '@lebureau/sdk/types';
import { type Answer, type Schema, type Tool, type ToolCall, defineTool } from '../tool.ts';

/** Of the 45 s that a call may take, what is left for the way. */
const timeoutMaxSeconds = 40;
const outputMaxBytes = 50_000;

interface ShellArgs {
  cwd?: string;
  user?: 'agent' | 'root';
  stdin?: string;
  timeoutSeconds?: number;
}

const shellInput: Readonly<Record<string, Schema>> = {
  cwd: { type: 'string', maxLength: 4096, description: 'Default: the home folder' },
  user: { type: 'string', enum: ['agent', 'root'], default: 'agent' },
  stdin: { type: 'string', maxLength: 1_048_576 },
  timeoutSeconds: {
    type: 'number',
    minimum: 0.1,
    maximum: timeoutMaxSeconds,
    default: 30,
    description: 'It is killed then',
  },
};

const exec = shellTool('command', {
  name: 'desktop_exec',
  title: 'Run a command',
  description:
    'Run one command line with /bin/sh on the desktop and answer with stdout, stderr and exitCode. For what takes longer: `nohup … >/tmp/log 2>&1 &`, then look at the log.',
  run: (command, args, { desktop, options }) => desktop.exec(command, { ...args, ...options }),
});

const bash = shellTool('script', {
  name: 'desktop_bash',
  title: 'Run a bash script',
  description: 'Run a bash script of any number of lines on the desktop and answer with stdout, stderr and exitCode.',
  run: (script, args, { desktop, options }) => desktop.bash(script, { ...args, ...options }),
});

const python = shellTool('code', {
  name: 'desktop_exec_python',
  title: 'Run Python',
  description:
    'Run Python 3 code on the desktop and answer with stdout, stderr and exitCode. Print what you want to see.',
  run: (code, args, { desktop, options }) => desktop.python(code, { ...args, ...options }),
});

export const execTools: readonly Tool[] = [exec, bash, python];

interface ShellWords {
  name: string;
  title: string;
  description: string;
  run: (text: string, args: ShellArgs & { outputMaxBytes: number }, call: ToolCall) => Promise<ExecResult>;
}

function shellTool(field: 'command' | 'script' | 'code', { run, ...words }: ShellWords): Tool {
  return defineTool<ShellArgs & Record<typeof field, string>>({
    ...words,
    toolset: 'exec',
    capability: 'desktop:control',
    onDesktop: true,
    input: {
      [field]: { type: 'string', minLength: 1, maxLength: field === 'command' ? 131_072 : 1_048_576 },
      ...shellInput,
    },
    required: [field],
    effect: { readOnly: false, destructive: true, idempotent: false, openWorld: true },
    async run({ command, script, code, ...args }, call) {
      return ran(await run(command ?? script ?? code, { timeoutSeconds: 30, ...args, outputMaxBytes }, call));
    },
  });
}

function ran(result: ExecResult): Answer {
  const facts = [`exitCode ${result.exitCode}, ${Math.round(result.durationMs)} ms.`];
  if (result.timedOut) facts.push('It was killed at its time limit: start long work in the background.');
  if (result.truncated)
    facts.push(`Output past ${outputMaxBytes} bytes was dropped: write it to a file and read that in parts.`);
  const untrusted = [
    { what: 'stdout', text: result.stdout },
    { what: 'stderr', text: result.stderr },
  ].filter((block) => block.text !== '');
  if (untrusted.length === 0) facts.push('No output.');
  // A command that fails has run as asked: that is a result for the model and no failed call.
  return { text: facts.join(' '), untrusted };
}
