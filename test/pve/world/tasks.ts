import type { Clock } from '@lebureau/kit/clock';
import { Refusal } from '../api/refusal.ts';
import type { State, TaskState } from './state.ts';

export interface Running {
  task: TaskState;
  signal: AbortSignal;
  log: (text: string) => void;
}

const upidForm =
  /^UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s]+):([^:\s]*):([^:\s]+):$/;

/** Workers: a UPID at once, the work behind it, its log and its end. */
export class Tasks {
  private readonly abort = new Map<string, AbortController>();

  constructor(
    private readonly state: State,
    private readonly clock: Clock,
    private readonly options: { pace: number; startMs: number; done: () => void },
  ) {}

  /** Starts a worker. It begins only after the answer with its UPID is on its way. */
  start(
    what: { type: string; id: string; node: string; who: string },
    work: (running: Running) => Promise<unknown>,
  ): string {
    const task = this.open(what);
    const controller = new AbortController();
    this.abort.set(task.upid, controller);
    const running: Running = { task, signal: controller.signal, log: (text) => task.log.push(...text.split('\n')) };
    void this.run(running, work);
    return task.upid;
  }

  private open(what: { type: string; id: string; node: string; who: string }): TaskState {
    const pid = this.state.nextPid++;
    const node = this.state.nodes[what.node];
    const nowMs = this.clock.nowMs() + (node?.clockSkewMs ?? 0);
    const starttime = Math.floor(nowMs / 1000);
    const pstart = Math.max(0, Math.floor((nowMs - (node?.bootedAtMs ?? nowMs)) / 10));
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
    const upid = `UPID:${what.node}:${hex(pid)}:${hex(pstart)}:${hex(starttime)}:${what.type}:${what.id}:${what.who}:`;
    const task: TaskState = { upid, ...what, pid, pstart, starttime, log: [] };
    this.state.tasks[upid] = task;
    this.state.taskOrder.unshift(upid);
    return task;
  }

  private async run(running: Running, work: (running: Running) => Promise<unknown>): Promise<void> {
    const { task } = running;
    try {
      await this.clock.sleep(this.options.startMs * this.options.pace);
      await work(running);
      this.end(task, running.signal.aborted ? 'received interrupt' : 'OK');
    } catch (error) {
      this.end(task, textOf(error));
    }
  }

  private end(task: TaskState, exitstatus: string): void {
    if (task.exitstatus !== undefined) return;
    task.exitstatus = exitstatus;
    task.endtime = Math.floor(this.clock.nowMs() / 1000);
    task.log.push(exitstatus === 'OK' ? 'TASK OK' : `TASK ERROR: ${exitstatus}`);
    this.abort.delete(task.upid);
    this.options.done();
  }

  interrupt(upid: string): void {
    this.abort.get(upid)?.abort();
  }

  /** What a restarted daemon finds: workers of the former life are gone without a last word. */
  bury(): void {
    for (const task of Object.values(this.state.tasks)) {
      if (task.exitstatus !== undefined) continue;
      task.exitstatus = 'unexpected status';
      task.endtime = Math.floor(this.clock.nowMs() / 1000);
    }
  }
}

/** An exception with a status tells it where it is made a text, and its lines become one (Exception.pm, fork_worker). */
function textOf(error: unknown): string {
  if (error instanceof Refusal) {
    if (error.status === 500) return error.details.message ?? error.reason;
    const errors = Object.entries(error.details.errors ?? {}).map(([name, text]) => `${name}: ${text}`);
    return [`${error.status} ${error.reason}`, ...errors].join(' ').trimEnd();
  }
  return error instanceof Error ? error.message : String(error);
}

export function parseUpid(upid: string): { node: string; id: string; user: string } | undefined {
  const parts = upidForm.exec(upid);
  return parts ? { node: parts[1] ?? '', id: parts[6] ?? '', user: parts[7] ?? '' } : undefined;
}
