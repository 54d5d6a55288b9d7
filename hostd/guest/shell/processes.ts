import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { isId, newId } from '@lebureau/kit/id';
import type { components } from '@lebureau/openapi/node';
import type { InitChannel, InitExecResult } from '../init/channel.ts';
import { checkEnvironment, refuseFailedStart, workingFolder } from './exec.ts';
import { type Process, readRecord, type ShellUser } from './processRecord.ts';
import { processTool } from './processTool.ts';
import { refuseNul, toText, wholeLength } from './text.ts';

type Schemas = components['schemas'];

const users: readonly ShellUser[] = ['agent', 'root'];
const roots: Readonly<Record<ShellUser, string>> = {
  agent: '/home/agent/.local/state/lebureau/processes',
  root: '/root/.local/state/lebureau/processes',
};
const toolTimeoutMs = 15_000;
const recordMaxBytes = 512 * 1024;
const listMaxBytes = 4 * 1024 * 1024;
const defaultReadBytes = 1024 * 1024;
/** A character has at most four bytes, and each read has to get further. */
const readMinBytes = 4;

/** Starts a command that lives on by itself: no connection and no hostd is needed for it to run and be kept. */
export async function startProcess(
  init: InitChannel,
  body: Schemas['ProcessBody'],
  call: { clock: Clock; signal?: AbortSignal },
): Promise<Process> {
  const user = body.user ?? 'agent';
  const cwd = workingFolder(user, body.cwd);
  refuseNul({ command: body.command });
  checkEnvironment(body.env);
  const processId = newId('prc', call.clock.nowMs());
  const command = Buffer.from(body.command);
  const result = await askTool(init, {
    user,
    args: ['start', roots[user], processId, String(command.length)],
    cwd,
    env: body.env,
    stdin: Buffer.concat([command, Buffer.from(body.stdin ?? '')]),
    signal: call.signal,
  });
  refuseFailedStart(result, cwd);
  const answer = toText(result.stdout).trim();
  if (answer === 'full')
    throw new Fault('quota_exceeded', 'A hundred commands run in this desktop already.', {
      hint: 'Delete processes that are no longer needed.',
    });
  const started = readRecord(answer, user);
  if (started === undefined || started.processId !== processId) throw notStarted(result);
  return started;
}

/** What was started and not deleted, the newest first. Long commands are cut. */
export async function listProcesses(init: InitChannel): Promise<Schemas['ProcessList']> {
  const lists = await Promise.all(
    users.map(async (user) => {
      const result = await askTool(init, { user, args: ['list', roots[user]], outputMaxBytes: listMaxBytes });
      return toText(result.stdout)
        .split('\n', 400)
        .map((line) => readRecord(line, user));
    }),
  );
  const data = lists.flat().filter((record) => record !== undefined);
  return { data: data.toSorted((one, other) => (one.processId < other.processId ? 1 : -1)) };
}

export async function getProcess(init: InitChannel, processId: string): Promise<Process> {
  const { line, user } = await askAbout(init, processId, { verb: 'get' });
  return recordOf(line, user);
}

/** Part of the output of a command, running or ended. Cut at a character boundary unless nothing comes after. */
export async function readProcessOutput(
  init: InitChannel,
  processId: string,
  query: { stream?: 'stdout' | 'stderr'; offset?: number; maxBytes?: number },
): Promise<Schemas['ProcessOutput']> {
  const stream = query.stream ?? 'stdout';
  const offset = query.offset ?? 0;
  const maxBytes = Math.max(readMinBytes, query.maxBytes ?? defaultReadBytes);
  const none = { offset: 0, maxBytes: 0 };
  const output = await readOutput(init, processId, {
    stdout: none,
    stderr: none,
    [stream]: { offset, maxBytes },
    waitMs: 0,
  });
  const bytes = output[stream];
  const reachesEnd = bytes.length === 0 || offset + bytes.length >= output.record[`${stream}Bytes`];
  const isLast = isOver(output.record) && reachesEnd;
  const length = isLast ? bytes.length : wholeLength(bytes);
  return { data: toText(bytes.subarray(0, length)), offset, nextOffset: offset + length, ended: isLast };
}

/** @throws Fault wrong_state when it has ended. */
export async function signalProcess(init: InitChannel, processId: string, body: { signal: string }): Promise<Process> {
  const { line, user } = await askAbout(init, processId, { verb: 'signal', args: [body.signal] });
  if (line === 'over')
    throw new Fault('wrong_state', 'The process has ended.', { hint: 'Read its output, or delete it.' });
  return recordOf(line, user);
}

/** Kills it with all it started, and forgets its output. */
export async function deleteProcess(init: InitChannel, processId: string): Promise<void> {
  await askAbout(init, processId, { verb: 'delete' });
}

export interface StreamWish {
  offset: number;
  /** 0: nothing of this stream. */
  maxBytes: number;
  /** Only what goes past this is news worth waiting for; at least `offset`. */
  seen?: number;
}

export interface OutputWish {
  stdout: StreamWish;
  stderr: StreamWish;
  /** Waits so long for something to come, or for the end. */
  waitMs: number;
  signal?: AbortSignal;
}

export interface Output {
  record: Process;
  stdout: Uint8Array;
  stderr: Uint8Array;
}

/** Bytes of both streams, as many as there are within the wish. */
export async function readOutput(init: InitChannel, processId: string, wish: OutputWish): Promise<Output> {
  const { stdout, stderr } = wish;
  const streams = [stdout, stderr].flatMap(({ offset, seen, maxBytes }) => [offset, seen ?? offset, maxBytes]);
  const args = [...streams, wish.waitMs].map(String);
  const asked = await askAbout(init, processId, {
    verb: 'read',
    args,
    timeoutMs: wish.waitMs + toolTimeoutMs,
    outputMaxBytes: stdout.maxBytes + stderr.maxBytes + recordMaxBytes,
    signal: wish.signal,
  });
  const counts = / (\d{1,8}) (\d{1,8})$/.exec(asked.line);
  const record = recordOf(counts === null ? '' : asked.line.slice(0, counts.index), asked.user);
  const [stdoutCount, stderrCount] = [Number(counts?.[1]), Number(counts?.[2])];
  if (stdoutCount > stdout.maxBytes || stderrCount > stderr.maxBytes || asked.rest.length !== stdoutCount + stderrCount)
    throw nonsense();
  return { record, stdout: asked.rest.subarray(0, stdoutCount), stderr: asked.rest.subarray(stdoutCount) };
}

export function isOver(record: Process): boolean {
  return record.status !== 'running';
}

interface ToolCall {
  user: ShellUser;
  args: string[];
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  stdin?: Uint8Array;
  timeoutMs?: number;
  outputMaxBytes?: number;
  signal?: AbortSignal;
}

function askTool(init: InitChannel, call: ToolCall): Promise<InitExecResult> {
  return init.exec({
    argv: ['/usr/bin/perl', '-e', processTool, ...call.args],
    user: call.user,
    cwd: call.cwd ?? '/',
    env: call.env,
    stdin: call.stdin,
    timeoutMs: call.timeoutMs ?? toolTimeoutMs,
    outputMaxBytes: call.outputMaxBytes ?? recordMaxBytes,
    signal: call.signal,
  });
}

interface Question extends Omit<ToolCall, 'user' | 'args'> {
  verb: 'get' | 'read' | 'signal' | 'delete';
  args?: string[];
}

/** Asks as each user in turn: the id does not say whose it is, and each user's files are read with that user's rights. */
async function askAbout(init: InitChannel, processId: string, question: Question) {
  if (!isId('prc', processId)) throw new Fault('not_found', 'No such process.');
  const { verb, args = [], ...call } = question;
  for (const user of users) {
    const result = await askTool(init, { ...call, user, args: [verb, roots[user], processId, ...args] });
    const end = result.stdout.indexOf(0x0a);
    const line = toText(result.stdout.subarray(0, Math.max(end, 0)));
    if (result.timedOut) throw new Fault('timeout', 'The desktop was too slow to tell of the process.');
    if (end < 0 || result.truncated) throw nonsense(result);
    if (line !== 'missing') return { line, user, rest: result.stdout.subarray(end + 1) };
  }
  throw new Fault('not_found', 'No such process.', { hint: 'List the processes of this desktop.' });
}

function recordOf(line: string, user: ShellUser): Process {
  const record = readRecord(line, user);
  if (record === undefined) throw nonsense();
  return record;
}

function notStarted(result: InitExecResult): Fault {
  const said = `${toText(result.stdout)} ${toText(result.stderr)}`;
  const cause = new Error(said.slice(0, 500));
  if (said.includes('No space left')) return new Fault('disk_full', 'The disk of the desktop is full.', { cause });
  return new Fault('guest_unreachable', 'The desktop could not start the command.', { cause, retryAfterSeconds: 1 });
}

function nonsense(result?: InitExecResult): Fault {
  const cause = result === undefined ? undefined : new Error(toText(result.stderr).slice(0, 500));
  return new Fault('guest_unreachable', 'The desktop told nonsense of the process.', { cause });
}
