import { type WaitFor, isHopeless, reached } from '../desktop.ts';
import type { ActionBatch, DesktopCreate, DesktopData, DesktopMetrics, ExecBody } from '../types.ts';
import type { Capability, Fake } from './fake.ts';
import { FakeDesktop } from './fakeDesktop.ts';
import { FakeProblem } from './problem.ts';

interface Context {
  fake: Fake;
  desktop: FakeDesktop;
  query: URLSearchParams;
  request: Request;
}

type Route = [
  method: string,
  path: RegExp,
  capability: Capability | 'key',
  handle: (context: Context) => Promise<Response> | Response,
];

const one = '/v1/desktops/([^/]+)';

export const fakeRoutes: readonly Route[] = [
  ['GET', /^\/v1\/me$/, 'key', ({ fake }) => json(me(fake))],
  [
    'GET',
    /^\/v1\/about$/,
    'key',
    () => json({ name: 'Le Bureau', version: '0.0.0', license: 'fake', source: '', contract: '' }),
  ],
  ['GET', /^\/v1\/templates$/, 'desktop:read', () => json({ data: [], nextCursor: null })],
  ['GET', /^\/v1\/desktops$/, 'desktop:read', listDesktops],
  ['POST', /^\/v1\/desktops$/, 'desktop:create', createDesktop],
  ['GET', at(''), 'desktop:read', getDesktop],
  [
    'PATCH',
    at(''),
    'desktop:lifecycle',
    async ({ desktop, request }) => json(Object.assign(desktop.data, await request.json())),
  ],
  ['DELETE', at(''), 'desktop:destroy', ({ fake, desktop }) => step(fake, desktop, 'delete')],
  ['POST', at('/start'), 'desktop:lifecycle', ({ fake, desktop }) => step(fake, desktop, 'start')],
  ['POST', at('/stop'), 'desktop:lifecycle', ({ fake, desktop }) => step(fake, desktop, 'stop')],
  ['POST', at('/restart'), 'desktop:lifecycle', ({ fake, desktop }) => step(fake, desktop, 'restart')],
  ['GET', at('/metrics'), 'metrics:read', nothingMeasured],
  ['GET', at('/screenshot'), 'desktop:view', ready(({ desktop }) => json(desktop.screenshot()))],
  ['POST', at('/actions'), 'desktop:control', ready(runActions)],
  ['GET', at('/clipboard'), 'desktop:control', ready(({ desktop }) => json({ text: desktop.clipboard }))],
  ['PUT', at('/clipboard'), 'desktop:control', ready(setClipboard)],
  ['GET', at('/windows'), 'desktop:view', ready(() => json({ data: [] }))],
  ['POST', at('/(?:exec|bash|python)'), 'desktop:control', ready(exec)],
  ['GET', at('/files'), 'files:read', ready(listFiles)],
  ['GET', at('/files/stat'), 'files:read', ready(({ desktop, query }) => json(desktop.entry(pathIn(query))))],
  ['GET', at('/files/content'), 'files:read', ready(readFile)],
  ['PUT', at('/files/content'), 'files:write', ready(writeFile)],
  ['POST', at('/files/uploads'), 'files:write', ready(createUpload)],
  ['GET', at('/files/uploads/[^/]+'), 'files:write', ready(getUpload)],
  ['PUT', at('/files/uploads/[^/]+'), 'files:write', ready(writeUpload)],
  ['POST', at('/files/uploads/[^/]+/finish'), 'files:write', ready(finishUpload)],
  ['DELETE', at('/files/uploads/[^/]+'), 'files:write', ready(cancelUpload)],
  ['POST', at('/files/directories'), 'files:write', ready(makeDirectory)],
  ['POST', at('/files/move'), 'files:write', ready(moveFile)],
  ['DELETE', at('/files'), 'files:write', ready(deleteFile)],
];

function at(rest: string): RegExp {
  return new RegExp(`^${one}${rest}$`);
}

function ready(handle: Route[3]): Route[3] {
  return (context) => {
    context.desktop.mustBeReady();
    return handle(context);
  };
}

function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}

function me(fake: Fake): unknown {
  const quota = { desktops: 100, vcpus: 100, memoryMiB: 100_000, diskGiB: 1000 };
  return {
    workspace: { id: 'wsp_00000000000000000000000001', name: 'fake' },
    key: { id: 'key_00000000000000000000000001', name: 'fake', lastFour: 'fake', expiresAt: null },
    grant: null,
    capabilities: [...fake.capabilities],
    restriction: null,
    user: null,
    role: 'owner',
    tier: 'free',
    quota: { limit: quota, used: { ...quota, desktops: fake.desktops.size } },
  };
}

function listDesktops({ fake, query }: Context): Response {
  const limit = Number(query.get('limit') ?? 50);
  const from = Number(query.get('cursor') ?? 0);
  const all = [...fake.desktops.values()]
    .map((desktop) => desktop.data)
    .filter((data) => data.status !== 'destroyed' && (query.get('status') ?? data.status) === data.status);
  const nextCursor = from + limit < all.length ? String(from + limit) : null;
  return json({ data: all.slice(from, from + limit), nextCursor });
}

async function createDesktop({ fake, request }: Context): Promise<Response> {
  const desktop = new FakeDesktop(fake.newId('dsk'), (await request.json()) as DesktopCreate);
  fake.desktops.set(desktop.data.id, desktop);
  const answer = json(desktop.data, 201);
  fake.walk(desktop, 'booting', 'running');
  return answer;
}

async function getDesktop({ desktop, query, request }: Context): Promise<Response> {
  const goal = query.get('waitFor') as WaitFor | null;
  const deadlineMs = performance.now() + Number(query.get('timeoutSeconds') ?? 30) * 1000;
  while (goal && !reached(desktop.data, goal) && performance.now() < deadlineMs && !request.signal.aborted) {
    if (isHopeless(desktop.data, goal)) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return json(desktop.data);
}

/** The last hour of a desktop of which nothing is known. */
function nothingMeasured(): Response {
  const stepMs = 60_000;
  const toMs = Math.ceil((performance.timeOrigin + performance.now()) / stepMs) * stepMs;
  const time = (ms: number) => new Date(ms).toISOString();
  const unknown = {
    cpuCores: null,
    cpuCoresMax: null,
    memoryUsedMiB: null,
    memoryUsedMiBMax: null,
    memoryHostMiB: null,
    diskUsedMiB: null,
    diskReadBytesPerSecond: null,
    diskWriteBytesPerSecond: null,
    networkReceiveBytesPerSecond: null,
    networkSendBytesPerSecond: null,
  };
  const points = Array.from({ length: 60 }, (_, index) => ({
    at: time(toMs - (60 - index) * stepMs),
    measuredSeconds: 0,
    ...unknown,
  }));
  return json({ from: points[0]!.at, to: time(toMs), stepSeconds: 60, points } satisfies DesktopMetrics);
}

function step(fake: Fake, desktop: FakeDesktop, action: DesktopData['allowedActions'][number]): Response {
  const { allowedActions, status } = desktop.data;
  if (action === 'delete' && status === 'destroyed') throw new FakeProblem(404, 'not_found');
  if (!allowedActions.includes(action)) {
    throw new FakeProblem(409, 'wrong_state', { allowedActions, detail: `The desktop is ${status}.` });
  }
  if (action === 'delete') fake.walk(desktop, 'destroying', 'destroyed');
  else if (action === 'stop') fake.walk(desktop, 'stopping', 'stopped');
  else fake.walk(desktop, 'booting', 'running');
  return json(desktop.data, action === 'delete' ? 202 : 200);
}

async function runActions({ desktop, request }: Context): Promise<Response> {
  const batch = (await request.json()) as ActionBatch;
  return json(desktop.run(batch.actions, batch.screenshot !== false));
}

async function setClipboard({ desktop, request }: Context): Promise<Response> {
  desktop.clipboard = ((await request.json()) as { text: string }).text;
  return json({ text: desktop.clipboard });
}

async function exec({ desktop, request }: Context): Promise<Response> {
  const body = (await request.json()) as Partial<ExecBody> & { script?: string; code?: string };
  return json(desktop.exec(body.command ?? body.script ?? body.code ?? '', body.stdin ?? ''));
}

function pathIn(query: URLSearchParams): string {
  return absolute(query.get('path') ?? '');
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/home/agent/${path.replace(/^~\//, '')}`;
}

function listFiles({ desktop, query }: Context): Response {
  const folder = `${pathIn(query).replace(/\/+$/, '')}/`;
  const names = [...desktop.files.keys()].filter(
    (path) => path.startsWith(folder) && !path.slice(folder.length).includes('/'),
  );
  return json({ data: names.toSorted().map((path) => desktop.entry(path)), nextCursor: null });
}

function readFile({ desktop, query, request }: Context): Response {
  const path = pathIn(query);
  desktop.entry(path);
  const bytes = desktop.files.get(path) ?? new Uint8Array();
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('range') ?? '');
  if (!range) return new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } });
  const part = bytes.slice(Number(range[1]), range[2] ? Number(range[2]) + 1 : undefined);
  return new Response(part, { status: 206, headers: { 'content-type': 'application/octet-stream' } });
}

async function writeFile({ desktop, query, request }: Context): Promise<Response> {
  const path = pathIn(query);
  if (query.get('overwrite') === 'false' && desktop.files.has(path)) throw new FakeProblem(409, 'file_exists');
  const bytes = new Uint8Array(await request.arrayBuffer());
  desktop.files.set(path, bytes);
  return json({ entry: desktop.entry(path), sha256: await sha256Of(bytes) });
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function uploadIdIn({ request }: Context): string {
  return /uploads\/([^/]+)/.exec(new URL(request.url).pathname)?.[1] ?? '';
}

function uploadOf(context: Context): { uploadId: string; bytes: Uint8Array<ArrayBuffer> } {
  const uploadId = uploadIdIn(context);
  const bytes = context.desktop.uploads.get(uploadId);
  if (bytes === undefined) throw new FakeProblem(404, 'file_not_found');
  return { uploadId, bytes };
}

function uploadAnswer(uploadId: string, path: string, bytes: Uint8Array): unknown {
  return { uploadId, path, receivedBytes: bytes.length, expiresAt: '2026-01-02T00:00:00.000Z' };
}

async function createUpload({ fake, desktop, request }: Context): Promise<Response> {
  const { path, overwrite } = (await request.json()) as { path: string; overwrite?: boolean };
  if (overwrite === false && desktop.files.has(absolute(path))) throw new FakeProblem(409, 'file_exists');
  const uploadId = fake.newId('upl');
  desktop.uploads.set(uploadId, new Uint8Array());
  return json(uploadAnswer(uploadId, absolute(path), new Uint8Array()), 201);
}

function getUpload(context: Context): Response {
  const { uploadId, bytes } = uploadOf(context);
  return json(uploadAnswer(uploadId, pathIn(context.query), bytes));
}

/** Keeps what came before a body broke, as a desktop does. */
async function writeUpload(context: Context): Promise<Response> {
  const { uploadId, bytes } = uploadOf(context);
  if (Number(context.query.get('offset')) !== bytes.length)
    throw new FakeProblem(416, 'range_not_satisfiable', { sizeBytes: bytes.length });
  let all = bytes;
  try {
    for await (const piece of context.request.body ?? []) {
      const next = new Uint8Array(all.length + piece.length);
      next.set(all);
      next.set(piece, all.length);
      all = next;
    }
  } finally {
    context.desktop.uploads.set(uploadId, all);
  }
  return json(uploadAnswer(uploadId, pathIn(context.query), all));
}

async function finishUpload(context: Context): Promise<Response> {
  const { uploadId, bytes } = uploadOf(context);
  const ask = (await context.request.json()) as { path: string; sizeBytes: number; sha256?: string };
  if (ask.sizeBytes !== bytes.length) throw new FakeProblem(416, 'range_not_satisfiable', { sizeBytes: bytes.length });
  const sha256 = await sha256Of(bytes);
  if (ask.sha256 !== undefined && ask.sha256 !== sha256) throw new FakeProblem(400, 'invalid_request');
  const path = absolute(ask.path);
  context.desktop.uploads.delete(uploadId);
  context.desktop.files.set(path, bytes);
  return json({ entry: context.desktop.entry(path), sha256 });
}

function cancelUpload(context: Context): Response {
  context.desktop.uploads.delete(uploadIdIn(context));
  return new Response(null, { status: 204 });
}

async function makeDirectory({ request }: Context): Promise<Response> {
  const path = absolute(((await request.json()) as { path: string }).path);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const modifiedAt = '2026-01-01T00:00:00.000Z';
  return json(
    {
      name,
      path,
      type: 'directory',
      sizeBytes: 4096,
      mode: '0755',
      uid: 1000,
      gid: 1000,
      modifiedAt,
      linkTarget: null,
    },
    201,
  );
}

async function moveFile({ desktop, request }: Context): Promise<Response> {
  const body = (await request.json()) as { from: string; to: string; overwrite?: boolean };
  const [from, to] = [absolute(body.from), absolute(body.to)];
  desktop.entry(from);
  if (desktop.files.has(to) && !body.overwrite) throw new FakeProblem(409, 'file_exists');
  desktop.files.set(to, desktop.files.get(from) ?? new Uint8Array());
  desktop.files.delete(from);
  return json(desktop.entry(to));
}

function deleteFile({ desktop, query }: Context): Response {
  const path = pathIn(query);
  desktop.entry(path);
  desktop.files.delete(path);
  return new Response(null, { status: 204 });
}
