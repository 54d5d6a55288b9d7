import { type Api, answerOf } from './api.ts';
import { ApiPromise } from './apiPromise.ts';
import { Computer } from './computer.ts';
import { Control, type HeldControl } from './control.ts';
import { ApiError, CallTimeoutError, LeBureauError } from './faults.ts';
import { Files } from './files.ts';
import { Processes } from './processes.ts';
import { Streams } from './streams.ts';
import { Terminals } from './terminals.ts';
import type { CallOptions } from './transport.ts';
import type {
  BashBody,
  DesktopData,
  DesktopMetrics,
  DesktopStatus,
  DesktopUpdate,
  ExecBody,
  ExecResult,
  PythonBody,
  Window,
} from './types.ts';

/** A desktop does not come to the status that was waited for: it failed, is stopped, or is being destroyed. */
export class DesktopFailedError extends LeBureauError {
  override readonly name = 'DesktopFailedError';
  readonly desktop: DesktopData;

  constructor(desktop: DesktopData) {
    super(`Desktop ${desktop.id} is ${desktop.status}${desktop.error ? `: ${desktop.error.message}` : ''}`);
    this.desktop = desktop;
  }
}

type ShellOptions = Omit<ExecBody, 'command'> & CallOptions;

/** One desktop by its id: everything that can be done with it. `data` is what the API said last. */
export class Desktop {
  readonly id: string;
  readonly computer: Computer;
  readonly files: Files;
  readonly processes: Processes;
  readonly control: Control;
  readonly streams: Streams;
  readonly terminals: Terminals;
  readonly #api: Api;
  #data: DesktopData | undefined;

  constructor(api: Api, id: string, data?: DesktopData) {
    this.id = id;
    const held: HeldControl = { leaseToken: undefined };
    this.#api = api.carrying((): Record<string, string> => {
      return held.leaseToken === undefined ? {} : { 'control-lease': held.leaseToken };
    });
    this.#data = data;
    this.computer = new Computer(this.#api, id);
    this.files = new Files(this.#api, id);
    this.processes = new Processes(this.#api, id);
    this.control = new Control(this.#api, id, held);
    this.streams = new Streams(this.#api, id, held);
    this.terminals = new Terminals(this.#api, id);
  }

  /** @throws LeBureauError when nothing was asked of the API yet: call `refresh` first. */
  get data(): DesktopData {
    if (!this.#data) throw new LeBureauError(`Nothing is known of desktop ${this.id} yet: call refresh() first`);
    return this.#data;
  }

  get status(): DesktopStatus {
    return this.data.status;
  }

  /** Asks for it, once. `waitFor` lets the API answer when that status is reached, within `timeoutSeconds` (at most 45). */
  refresh(query: { waitFor?: WaitFor; timeoutSeconds?: number } = {}, options?: CallOptions): ApiPromise<DesktopData> {
    const call = this.#api.client.GET('/v1/desktops/{desktopId}', {
      params: { path: this.#path, query },
      ...this.#api.with(options),
    });
    return this.#remember(answerOf(call));
  }

  /**
   * Waits until it is so. `ready`: screen, shell and files can be used.
   * @throws DesktopFailedError when it cannot become so by itself, and CallTimeoutError after `timeoutMs` (default 180,000).
   */
  async wait(goal: WaitFor = 'ready', options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<this> {
    const timeoutMs = options.timeoutMs ?? 180_000;
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new CallTimeoutError(`Desktop ${this.id} was not ${goal} within ${timeoutMs} ms`);
      const timeoutSeconds = Math.max(1, Math.min(45, Math.ceil(leftMs / 1000)));
      const data = await this.refresh({ waitFor: goal, timeoutSeconds }, { signal: options.signal });
      if (reached(data, goal)) return this;
      if (isHopeless(data, goal)) throw new DesktopFailedError(data);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  update(body: DesktopUpdate, options?: CallOptions): ApiPromise<DesktopData> {
    const call = this.#api.client.PATCH('/v1/desktops/{desktopId}', {
      params: { path: this.#path },
      body,
      ...this.#api.with(options),
    });
    return this.#remember(answerOf(call));
  }

  start(options?: CallOptions): ApiPromise<DesktopData> {
    const call = this.#api.client.POST('/v1/desktops/{desktopId}/start', {
      params: { path: this.#path },
      ...this.#api.with(options),
    });
    return this.#remember(answerOf(call));
  }

  stop(options?: CallOptions): ApiPromise<DesktopData> {
    const call = this.#api.client.POST('/v1/desktops/{desktopId}/stop', {
      params: { path: this.#path },
      ...this.#api.with(options),
    });
    return this.#remember(answerOf(call));
  }

  restart(options?: CallOptions): ApiPromise<DesktopData> {
    const call = this.#api.client.POST('/v1/desktops/{desktopId}/restart', {
      params: { path: this.#path },
      ...this.#api.with(options),
    });
    return this.#remember(answerOf(call));
  }

  /** Its disk is lost. It is gone when its status is `destroyed`. */
  delete(options?: CallOptions): ApiPromise<void> {
    const call = this.#api.client.DELETE('/v1/desktops/{desktopId}', {
      params: { path: this.#path },
      ...this.#api.with(options),
    });
    return answerOf(call).map(() => undefined);
  }

  /** What it used, a point a step; of the last hour unless `from` and `to` are given. What is not known is null. */
  metrics(
    query: { from?: Date; to?: Date; stepSeconds?: number } = {},
    options?: CallOptions,
  ): ApiPromise<DesktopMetrics> {
    const { from, to, stepSeconds } = query;
    const call = this.#api.client.GET('/v1/desktops/{desktopId}/metrics', {
      params: { path: this.#path, query: { from: from?.toISOString(), to: to?.toISOString(), stepSeconds } },
      ...this.#api.with(options),
    });
    return answerOf(call);
  }

  /** One command line for /bin/sh. A command that fails is a result, not an exception. */
  exec(command: string, options: ShellOptions = {}): ApiPromise<ExecResult> {
    const [body, call] = split(options);
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/exec', {
        params: { path: this.#path },
        body: { command, ...body },
        ...this.#api.with(call, 'refused'),
      }),
    );
  }

  bash(script: string, options: Omit<BashBody, 'script'> & CallOptions = {}): ApiPromise<ExecResult> {
    const [body, call] = split(options);
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/bash', {
        params: { path: this.#path },
        body: { script, ...body },
        ...this.#api.with(call, 'refused'),
      }),
    );
  }

  python(code: string, options: Omit<PythonBody, 'code'> & CallOptions = {}): ApiPromise<ExecResult> {
    const [body, call] = split(options);
    return answerOf(
      this.#api.client.POST('/v1/desktops/{desktopId}/python', {
        params: { path: this.#path },
        body: { code, ...body },
        ...this.#api.with(call, 'refused'),
      }),
    );
  }

  readonly clipboard = {
    get: (options?: CallOptions): ApiPromise<string> =>
      answerOf(
        this.#api.client.GET('/v1/desktops/{desktopId}/clipboard', {
          params: { path: this.#path },
          ...this.#api.with(options),
        }),
      ).map((answer) => answer.text),
    set: (text: string, options?: CallOptions): ApiPromise<void> =>
      answerOf(
        this.#api.client.PUT('/v1/desktops/{desktopId}/clipboard', {
          params: { path: this.#path },
          body: { text },
          ...this.#api.with(options),
        }),
      ).map(() => undefined),
  };

  readonly windows = {
    list: (options?: CallOptions): ApiPromise<Window[]> =>
      answerOf(
        this.#api.client.GET('/v1/desktops/{desktopId}/windows', {
          params: { path: this.#path },
          ...this.#api.with(options),
        }),
      ).map((answer) => answer.data),
    focus: (windowId: string, options?: CallOptions): ApiPromise<Window> =>
      answerOf(
        this.#api.client.POST('/v1/desktops/{desktopId}/windows/{windowId}/focus', {
          params: { path: { ...this.#path, windowId } },
          ...this.#api.with(options),
        }),
      ),
  };

  /** `await using desktop = …` deletes an ephemeral desktop at the end of the block; others stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#data?.ephemeral) return;
    try {
      await this.delete();
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  get #path(): { desktopId: string } {
    return { desktopId: this.id };
  }

  #remember(answer: ApiPromise<DesktopData>): ApiPromise<DesktopData> {
    return answer.map((data) => (this.#data = data));
  }
}

/** What can be waited for. */
export type WaitFor = 'running' | 'ready' | 'agentReady' | 'stopped' | 'destroyed';

export function reached(data: DesktopData, goal: WaitFor): boolean {
  if (goal === 'ready') return data.status === 'running' && data.ready;
  if (goal === 'agentReady') return data.status === 'running' && data.agentReady;
  return data.status === goal;
}

const ends: readonly DesktopStatus[] = ['error', 'destroying', 'destroyed'];

/** Whether waiting is in vain, as the API sees it: somebody has to do something first. */
export function isHopeless({ status }: DesktopData, goal: WaitFor): boolean {
  if (goal === 'destroyed') return false;
  return ends.includes(status) || (goal !== 'stopped' && status === 'stopped');
}

/** The answer of a command takes its own time limit and some for the way. */
const wayMs = 15_000;

function split<Options extends ShellOptions>(options: Options): [Omit<Options, keyof CallOptions>, CallOptions] {
  const { signal, timeoutMs, retriesMax, idempotencyKey, ...body } = options;
  const limitMs = timeoutMs ?? (body.timeoutSeconds ?? 30) * 1000 + wayMs;
  return [body, { signal, timeoutMs: limitMs, retriesMax, idempotencyKey }];
}
