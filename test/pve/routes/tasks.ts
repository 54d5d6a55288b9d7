import { badParameters, died } from '../api/refusal.ts';
import type { Json, JsonObject } from '../api/reference.ts';
import type { TaskState } from '../world/state.ts';
import { parseUpid } from '../world/tasks.ts';
import { Download, Envelope, type Call, type Routes } from '../world/world.ts';

export const taskRoutes: Routes = {
  'GET /nodes/{node}/tasks': list,
  'GET /cluster/tasks': recent,
  'GET /nodes/{node}/tasks/{upid}': () => ['log', 'status'].map((name) => ({ name })),
  'GET /nodes/{node}/tasks/{upid}/status': (call) => statusOf(known(call)),
  'GET /nodes/{node}/tasks/{upid}/log': log,
  'DELETE /nodes/{node}/tasks/{upid}': (call) => {
    const task = lookedUp(call);
    mayEnd(call, task.who);
    call.world.tasks.interrupt(task.upid);
    return null;
  },
};

function decoded(call: Call): string {
  const upid = String(call.given.upid);
  if (parseUpid(upid) === undefined) throw badParameters({ upid: 'unable to parse worker upid' });
  return upid;
}

function lookedUp(call: Call): TaskState {
  const task = call.world.state.tasks[decoded(call)];
  if (task === undefined || task.node !== call.node) throw badParameters({ upid: 'no such task' });
  return task;
}

function known(call: Call): TaskState {
  const task = lookedUp(call);
  maySee(call, task.who);
  return task;
}

/** A token has its own tasks; a user has those of its tokens, too (Tasks.pm). */
function owns(caller: string, who: string): boolean {
  return caller === who || caller === userOf(who);
}

function maySee(call: Call, who: string): void {
  if (!owns(call.caller, who)) call.world.permissions.check(call.caller, `/nodes/${call.node}`, ['Sys.Audit']);
}

function mayEnd(call: Call, who: string): void {
  if (!owns(call.caller, who)) call.world.permissions.check(call.caller, `/nodes/${call.node}`, ['Sys.Modify']);
}

function userOf(who: string): string {
  return who.split('!')[0] ?? who;
}

function identity(task: TaskState): JsonObject {
  const [user = '', tokenid] = task.who.split('!');
  return tokenid === undefined ? { user } : { user, tokenid };
}

function statusOf(task: TaskState): JsonObject {
  const { upid, node, pid, pstart, starttime, type, id } = task;
  const status: JsonObject =
    task.exitstatus === undefined ? { status: 'running' } : { status: 'stopped', exitstatus: task.exitstatus };
  return { upid, node, pid, pstart, starttime, type, id, ...identity(task), ...status };
}

function log(call: Call): Json | Envelope | Download {
  const { given, world } = call;
  const upid = decoded(call);
  const task = world.state.tasks[upid];
  maySee(call, parseUpid(upid)?.user ?? '');
  if (given.download === 1) {
    if (given.start !== undefined || given.limit !== undefined) {
      throw died("'download' cannot be used together with 'start' or 'limit' parameters");
    }
    return new Download(`${(task?.log ?? []).join('\n')}\n`);
  }
  if (task === undefined || task.node !== call.node) {
    const line = { n: 1, t: 'unable to open file - No such file or directory' };
    return world.facts.missingLogIsList ? new Envelope([line], { total: 1 }) : new Envelope(line, { total: 1 });
  }
  const start = Number(given.start ?? 0);
  const limit = Number(given.limit ?? 50);
  const lines = task.log.map((t, at) => ({ n: at + 1, t }));
  const some = limit === 0 ? lines.slice(start) : lines.slice(start, start + limit);
  return new Envelope(some, { total: lines.length });
}

function list(call: Call): Envelope {
  const { world, given, node } = call;
  const all = world.state.taskOrder.flatMap((upid) => world.state.tasks[upid] ?? []);
  const auditor = world.permissions.any(call.caller, `/nodes/${node}`, ['Sys.Audit']);
  const chosen = all.filter(
    (task) => task.node === node && (auditor || owns(call.caller, task.who)) && isAskedFor(call, task),
  );
  const start = Number(given.start ?? 0);
  const lines = chosen.slice(start, start + Number(given.limit ?? 50)).map(lineOf);
  return new Envelope(lines, { total: chosen.length });
}

function isAskedFor({ given }: Call, task: TaskState): boolean {
  const source = String(given.source ?? 'archive');
  const ended = task.exitstatus !== undefined;
  if ((source === 'active' && ended) || (source === 'archive' && !ended)) return false;
  if (given.vmid !== undefined && task.id !== String(given.vmid)) return false;
  if (given.typefilter !== undefined && task.type !== given.typefilter) return false;
  if (given.errors === 1 && ended && /^(?:ok|warning)$/.test(kindOf(task))) return false;
  const user = userOf(task.who).toLowerCase();
  if (given.userfilter !== undefined && !user.includes(String(given.userfilter).toLowerCase())) return false;
  if (given.since !== undefined && task.starttime < Number(given.since)) return false;
  if (given.until !== undefined && task.starttime > Number(given.until)) return false;
  const kinds = given.statusfilter === undefined ? undefined : String(given.statusfilter).toLowerCase();
  return kinds === undefined || !ended || kinds.split(/[,;\s]+/).includes(kindOf(task));
}

/** upid_normalize_status_type of Tools.pm. */
function kindOf({ exitstatus = '' }: TaskState): string {
  if (exitstatus === 'OK' || exitstatus === 'unexpected status') return exitstatus === 'OK' ? 'ok' : 'unknown';
  return exitstatus.startsWith('WARNINGS') ? 'warning' : 'error';
}

function lineOf(task: TaskState): JsonObject {
  const { upid, node, pid, pstart, starttime, type, id } = task;
  const line = { upid, node, pid, pstart, starttime, type, id };
  if (task.exitstatus === undefined) return { ...line, user: task.who, status: 'RUNNING', saved: '0' };
  return { ...line, ...identity(task), status: task.exitstatus, endtime: task.endtime ?? starttime };
}

function recent(call: Call): Json {
  const { world } = call;
  const all = world.state.taskOrder.slice(0, 25).flatMap((upid) => world.state.tasks[upid] ?? []);
  const mine = all.filter(
    (task) => owns(call.caller, task.who) || world.permissions.any(call.caller, `/nodes/${task.node}`, ['Sys.Audit']),
  );
  const running = mine.filter((task) => task.exitstatus === undefined);
  const ended = mine.filter((task) => task.exitstatus !== undefined);
  const shared = (task: TaskState): JsonObject => {
    const { upid, node, starttime, type, id } = task;
    return { upid, node, starttime, type, id, ...identity(task) };
  };
  return [
    ...running.map((task) => ({ ...shared(task), pid: task.pid })),
    ...ended.map((task) => ({
      ...shared(task),
      endtime: task.endtime ?? task.starttime,
      status: task.exitstatus ?? '',
      saved: '1',
    })),
  ];
}
