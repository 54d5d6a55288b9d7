import type { Json, JsonObject } from '../api/reference.ts';
import { died, Refusal } from '../api/refusal.ts';
import type { Call, Routes } from '../world/world.ts';
import { agentEnabled } from '../vm/config.ts';
import { AgentBroke, AgentDown, AgentRefused } from '../vm/machines.ts';

const pingTimeoutMs = 3000;
const brokenAfterMs = 5000;
const readMaxBytes = 16 * 1024 ** 2;
const chunkBytes = 1024 ** 2;

const asked = [
  'get-fsinfo',
  'get-host-name',
  'get-memory-block-info',
  'get-memory-blocks',
  'get-osinfo',
  'get-time',
  'get-timezone',
  'get-users',
  'get-vcpus',
  'info',
  'network-get-interfaces',
];
const told = [
  'fsfreeze-freeze',
  'fsfreeze-status',
  'fsfreeze-thaw',
  'fstrim',
  'ping',
  'shutdown',
  'suspend-disk',
  'suspend-hybrid',
  'suspend-ram',
];
const base = '/nodes/{node}/qemu/{vmid}/agent';

export const agentRoutes: Routes = {
  [`GET ${base}`]: () =>
    [...asked, ...told, 'exec', 'exec-status', 'file-read', 'file-write', 'set-user-password'].map((name) => ({
      name,
    })),
  [`POST ${base}`]: (call) => plain(call, String(call.given.command)),
  ...Object.fromEntries(asked.map((name) => [`GET ${base}/${name}`, (call: Call) => plain(call, name)])),
  ...Object.fromEntries(told.map((name) => [`POST ${base}/${name}`, (call: Call) => plain(call, name)])),
  [`POST ${base}/exec`]: exec,
  [`GET ${base}/exec-status`]: execStatus,
  [`POST ${base}/file-write`]: writeFile,
  [`GET ${base}/file-read`]: readFile,
  [`POST ${base}/set-user-password`]: async (call) => {
    const { username, password, crypted } = call.given;
    const encoded = latin1(String(password)).toString('base64');
    await available(call);
    await ask(call, 'guest-set-user-password', {
      username,
      password: encoded,
      crypted: crypted === 1,
    });
    return { result: {} };
  },
};

async function plain(call: Call, name: string): Promise<Json> {
  await available(call);
  const command = name === 'network-get-interfaces' ? 'guest-network-get-interfaces' : `guest-${name}`;
  try {
    return { result: ((await call.world.machines.agent(Number(call.given.vmid), command)) ?? {}) as Json };
  } catch (error) {
    // Only calls with parameters look for the agent's error.
    if (error instanceof AgentRefused) return { result: { error: { class: 'GenericError', desc: error.message } } };
    return ask(call, command);
  }
}

/** Configured, running, and answering a ping: each with its own text, the last after three seconds. */
async function available(call: Call): Promise<void> {
  const { world } = call;
  const vm = world.vm(Number(call.given.vmid), call.node);
  if (vm.config.agent === undefined) throw died('No QEMU guest agent configured');
  if (!vm.run) throw died(`VM ${vm.vmid} is not running`);
  try {
    await world.machines.agent(vm.vmid, 'guest-ping');
  } catch (error) {
    if (!(error instanceof AgentDown)) throw error;
    // Without the port in QEMU there is nothing to wait for.
    if (agentEnabled(vm.run.startConfig)) await world.pace.wait(pingTimeoutMs);
    throw died('QEMU guest agent is not running');
  }
}

async function ask(call: Call, command: string, given: Record<string, unknown> = {}): Promise<Json> {
  const vmid = Number(call.given.vmid);
  try {
    return ((await call.world.machines.agent(vmid, command, given)) ?? {}) as Json;
  } catch (error) {
    if (error instanceof AgentRefused) throw died(`Agent error: ${error.message}`);
    if (error instanceof AgentBroke) {
      await call.world.pace.wait(brokenAfterMs);
      throw new Refusal(596, 'Broken pipe', { body: 'none' });
    }
    if (error instanceof AgentDown) throw died(`VM ${vmid} qga command '${command}' failed - got timeout`);
    throw error;
  }
}

/** Perl takes each character for a byte, and knows none above 255. */
function latin1(text: string): Buffer {
  if (Array.from(text).some((one) => (one.codePointAt(0) ?? 0) > 255)) throw died('Wide character in subroutine entry');
  return Buffer.from(text, 'latin1');
}

function textOf(base64: Json | undefined): string {
  return Buffer.from(String(base64 ?? ''), 'base64').toString('latin1');
}

async function exec(call: Call): Promise<Json> {
  const [path, ...rest] = call.given.command as string[];
  const input = call.given['input-data'];
  const encoded = input === undefined ? undefined : latin1(String(input)).toString('base64');
  await available(call);
  const answer = (await ask(call, 'guest-exec', {
    path,
    arg: rest,
    'capture-output': true,
    ...(encoded === undefined ? {} : { 'input-data': encoded }),
  })) as JsonObject;
  return { pid: answer.pid ?? null };
}

async function execStatus(call: Call): Promise<Json> {
  await available(call);
  const answer = (await ask(call, 'guest-exec-status', { pid: call.given.pid })) as JsonObject;
  const status: JsonObject = { exited: answer.exited === true ? 1 : 0 };
  for (const key of ['exitcode', 'signal']) if (answer[key] !== undefined) status[key] = answer[key];
  for (const side of ['out', 'err']) {
    if (answer[`${side}-data`] === undefined) continue;
    status[`${side}-data`] = textOf(answer[`${side}-data`]);
    status[`${side}-truncated`] = answer[`${side}-truncated`] === true ? 1 : 0;
  }
  return status;
}

async function writeFile(call: Call): Promise<Json> {
  const { given } = call;
  const content = String(given.content);
  const encoded = given.encode === 0 ? content : latin1(content).toString('base64');
  await available(call);
  const handle = await ask(call, 'guest-file-open', { path: given.file, mode: 'wb' });
  await ask(call, 'guest-file-write', { handle, 'buf-b64': encoded });
  await ask(call, 'guest-file-close', { handle });
  return null;
}

async function readFile(call: Call): Promise<Json> {
  await available(call);
  const handle = await ask(call, 'guest-file-open', { path: call.given.file });
  const parts: Buffer[] = [];
  let bytes = 0;
  let eof = false;
  try {
    while (!eof && bytes < readMaxBytes) {
      const piece = (await ask(call, 'guest-file-read', { handle, count: chunkBytes })) as JsonObject;
      parts.push(Buffer.from(String(piece['buf-b64'] ?? ''), 'base64'));
      bytes += Number(piece.count ?? 0);
      eof = piece.eof === true || piece.count === 0;
    }
  } finally {
    await ask(call, 'guest-file-close', { handle });
  }
  const answer: JsonObject = { content: Buffer.concat(parts).toString('latin1'), 'bytes-read': bytes };
  return eof ? answer : { ...answer, truncated: 1 };
}
