import type { DesktopFilter } from '@lebureau/sdk/desktops';
import type { WaitFor } from '@lebureau/sdk/desktop';
import { isHopeless, reached } from '@lebureau/sdk/desktop';
import type { DesktopCreate, DesktopData } from '@lebureau/sdk/types';
import { type Answer, type Effect, type Tool, defineTool } from '../tool.ts';

const look: Effect = { readOnly: true, destructive: false, idempotent: true, openWorld: false };
const change: Effect = { readOnly: false, destructive: false, idempotent: true, openWorld: false };
/** Of the 45 s that a call may take, what is left for the way. */
const waitMaxSeconds = 40;

const statuses = ['pending', 'booting', 'running', 'stopping', 'stopped', 'destroying', 'error', 'unknown'] as const;

const list = defineTool<DesktopFilter>({
  name: 'desktops_list',
  title: 'List desktops',
  toolset: 'desktops',
  capability: 'desktop:read',
  description:
    'List the desktops this key may see: id, name, status, size, allowedActions. Destroyed ones are left out. Use an id from here as desktopId elsewhere.',
  onDesktop: false,
  input: {
    status: { type: 'string', enum: statuses },
    label: { type: 'string', maxLength: 400, description: 'key=value' },
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    cursor: { type: 'string', maxLength: 500, description: 'nextCursor of the page before' },
  },
  effect: look,
  async run({ limit = 20, ...filter }, { bureau, options }) {
    const page = await bureau.desktops.list({ limit, ...filter }, options);
    const data = { desktops: page.data.map((desktop) => brief(desktop.data)), nextCursor: page.nextCursor };
    const next = data.desktops.length === 0 ? '\nThere are none: make one with desktops_create.' : '';
    return { text: JSON.stringify(data) + next, data };
  },
});

const get = defineTool<object>({
  name: 'desktops_get',
  title: 'Get a desktop',
  toolset: 'desktops',
  capability: 'desktop:read',
  description:
    'Everything about one desktop: status, ready, allowedActions, hardware, labels, error. `ready` true: screen, shell and files can be used.',
  onDesktop: true,
  input: {},
  effect: look,
  async run(_args, { desktop, options }) {
    return about(await desktop.refresh({}, options));
  },
});

const create = defineTool<DesktopCreate & { wait?: boolean }>({
  name: 'desktops_create',
  title: 'Create a desktop',
  toolset: 'desktops',
  capability: 'desktop:create',
  description:
    'Create a Linux desktop (XFCE, user "agent") and wait until it is ready, which takes a second or, without a warm template, a minute or more. Answers with its id. It costs quota until desktops_delete; with ephemeral it deletes itself when unused for ttlSeconds.',
  onDesktop: false,
  input: {
    name: { type: 'string', minLength: 1, maxLength: 100 },
    size: {
      type: 'string',
      enum: ['nano', 'free', 'pro', 'max'],
      description: 'nano 1 vCPU 1 GiB (default), free 2/4, pro 4/8, max 4/16',
    },
    template: { type: 'string', maxLength: 100, description: 'Id or name; default the newest' },
    labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 255 } },
    network: { type: 'string', enum: ['internet', 'none'], default: 'internet' },
    ephemeral: { type: 'boolean', default: false },
    ttlSeconds: { type: 'integer', minimum: 60, maximum: 2_592_000 },
    wait: { type: 'boolean', default: true, description: 'false: answer at once, with status pending' },
  },
  effect: { readOnly: false, destructive: false, idempotent: false, openWorld: false },
  async run({ wait = true, ...body }, { bureau, options, report }) {
    const desktop = await bureau.desktops.create(body, options);
    if (!wait) return about(desktop.data, 'Created. Wait for it with desktops_wait.');
    report(`${desktop.id} is ${desktop.data.status}`);
    const data = await desktop.refresh({ waitFor: 'ready', timeoutSeconds: waitMaxSeconds - 5 }, options);
    return waited(data, 'ready');
  },
});

const wait = defineTool<{ goal?: WaitFor; timeoutSeconds?: number }>({
  name: 'desktops_wait',
  title: 'Wait for a desktop',
  toolset: 'desktops',
  capability: 'desktop:read',
  description:
    'Wait until a desktop is ready (default), running, stopped or destroyed. Answers after timeoutSeconds at the latest with the status then: call it again to go on waiting.',
  onDesktop: true,
  input: {
    goal: { type: 'string', enum: ['ready', 'running', 'agentReady', 'stopped', 'destroyed'], default: 'ready' },
    timeoutSeconds: { type: 'integer', minimum: 1, maximum: waitMaxSeconds, default: waitMaxSeconds },
  },
  effect: look,
  async run({ goal = 'ready', timeoutSeconds = waitMaxSeconds }, { desktop, options }) {
    return waited(await desktop.refresh({ waitFor: goal, timeoutSeconds }, options), goal);
  },
});

const start = lifeCycle('start', {
  title: 'Start a desktop',
  description: 'Start a stopped desktop from its own disk. Answers at once; wait with desktops_wait.',
  effect: change,
});
const stop = lifeCycle('stop', {
  title: 'Stop a desktop',
  description:
    'Shut a desktop down; its disk is kept, its programs end. Answers at once; wait with desktops_wait goal "stopped".',
  effect: { ...change, destructive: true },
});
const restart = lifeCycle('restart', {
  title: 'Restart a desktop',
  description:
    'Stop a desktop and start it again; its disk is kept, its programs end. Answers at once; wait with desktops_wait.',
  effect: { ...change, destructive: true, idempotent: false },
});

const remove = defineTool<object>({
  name: 'desktops_delete',
  title: 'Delete a desktop',
  toolset: 'desktops',
  capability: 'desktop:destroy',
  description:
    'Delete a desktop and its disk for ever. It must be confirmed: where the client cannot ask the user, the first call answers with a confirmToken, and the same call with it deletes.',
  onDesktop: true,
  input: {},
  effect: { readOnly: false, destructive: true, idempotent: true, openWorld: false },
  confirm: (_args, desktopId) => `Delete desktop ${desktopId} and everything on its disk for ever?`,
  async run(_args, { desktop, options }) {
    await desktop.delete(options);
    return { text: `Desktop ${desktop.id} is being destroyed.`, data: { id: desktop.id, status: 'destroying' } };
  },
});

export const desktopTools: readonly Tool[] = [list, get, create, wait, start, stop, restart, remove];

function lifeCycle(action: 'start' | 'stop' | 'restart', words: Pick<Tool, 'title' | 'description' | 'effect'>): Tool {
  return defineTool<object>({
    name: `desktops_${action}`,
    toolset: 'desktops',
    capability: 'desktop:lifecycle',
    onDesktop: true,
    input: {},
    ...words,
    async run(_args, { desktop, options }) {
      const data = await desktop[action](options);
      const goal = action === 'stop' ? 'stopped' : 'ready';
      return about(data, `Asked to ${action}. Wait with desktops_wait {"desktopId":"${data.id}","goal":"${goal}"}.`);
    },
  });
}

function brief(desktop: DesktopData) {
  const { id, name, status, ready, size, labels, allowedActions, createdAt } = desktop;
  return { id, name, status, ready, size, labels, allowedActions, createdAt };
}

function about(desktop: DesktopData, words = ''): Answer {
  const data = { ...brief(desktop), ...desktop };
  return { text: `${words}${words ? '\n' : ''}${JSON.stringify(data)}`, data };
}

function waited(desktop: DesktopData, goal: WaitFor): Answer {
  const { id, status } = desktop;
  if (reached(desktop, goal)) return about(desktop, `Desktop ${id} is ${goal}.`);
  if (status === 'error') {
    const reason = desktop.error?.message ?? 'no reason known';
    const next = `Next: desktops_restart or desktops_delete {"desktopId":"${id}"}.`;
    return { ...about(desktop, `Desktop ${id} failed: ${reason}. ${next}`), failed: true };
  }
  if (isHopeless(desktop, goal)) {
    const next = status === 'stopped' ? `desktops_start {"desktopId":"${id}"}` : 'desktops_create, or desktops_list {}';
    return {
      ...about(desktop, `Desktop ${id} is ${status} and does not become ${goal} by itself. Next: ${next}.`),
      failed: true,
    };
  }
  return about(
    desktop,
    `Desktop ${id} is ${status}, not yet ${goal}. Next: desktops_wait {"desktopId":"${id}","goal":"${goal}"}.`,
  );
}
