import type { Example } from './document.ts';
import type { Json } from './jsonSchema.ts';

/** One example for each guest operation; the same on both sides. A test checks each against its schema. */

const frame: Json = {
  frameId: 'fr_01k9x3v6m8e9t2q4r6s8v0w2y4',
  width: 1280,
  height: 800,
  scale: 1,
  screenWidth: 1280,
  screenHeight: 800,
  region: { x: 0, y: 0, width: 1280, height: 800 },
  hash: '9f86d081884c7d65',
  takenAt: '2026-11-20T10:00:00.000Z',
};
const window: Json = {
  windowId: '0x3a00007',
  title: 'Terminal - agent@desktop',
  className: 'xfce4-terminal.Xfce4-terminal',
  pid: 812,
  x: 120,
  y: 80,
  width: 720,
  height: 480,
  active: true,
  minimized: false,
};
const screenshot: Json = {
  frame,
  unchanged: false,
  images: [{ format: 'webp', width: 1280, height: 800, x: 0, y: 0, data: 'UklGRg==' }],
};
const batchResult: Json = {
  completed: 1,
  results: [{ action: 'click', ok: true, durationMs: 3.1 }],
  settled: true,
  screenshot,
  cursor: { x: 640, y: 400 },
  activeWindow: window,
};
const thinResult: Json = {
  completed: 1,
  results: [{ action: 'click', ok: true, durationMs: 3.1 }],
  settled: true,
  screenshot: null,
  cursor: { x: 640, y: 400 },
  activeWindow: null,
};
const execResult: Json = {
  stdout: 'Linux\n',
  stderr: '',
  exitCode: 0,
  timedOut: false,
  truncated: false,
  durationMs: 12.5,
};
const process = {
  processId: 'prc_01k9x3v6m8e9t2q4r6s8v0w2y4',
  command: 'make -j2',
  user: 'agent',
  pid: 1402,
  status: 'running',
  exitCode: null,
  startedAt: '2026-11-20T10:00:00.000Z',
  endedAt: null,
  stdoutBytes: 2048,
  stderrBytes: 0,
  truncated: false,
} satisfies Json;
const file: Json = {
  name: 'notes.txt',
  path: '/home/agent/notes.txt',
  type: 'file',
  sizeBytes: 12,
  mode: '0644',
  uid: 1000,
  gid: 1000,
  modifiedAt: '2026-11-20T10:00:00.000Z',
  linkTarget: null,
};
const folder: Json = {
  ...file,
  name: 'work',
  path: '/home/agent/work',
  type: 'directory',
  sizeBytes: 4096,
  mode: '0755',
};

const sha256 = 'a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447';
const upload = {
  uploadId: 'upl_01k9x3v6m8e9t2q4r6s8v0w2y4',
  path: '/home/agent/notes.txt',
  receivedBytes: 0,
  expiresAt: '2026-11-21T10:00:00.000Z',
} satisfies Json;

const holder = {
  kind: 'human',
  name: 'Ada',
  by: 'key_01k9x3v6m8e9t2q4r6s8v0w2y4',
  takenAt: '2026-11-20T10:00:00.000Z',
} satisfies Json;
const expiresAt = '2026-11-20T10:02:00.000Z';
const leaseToken = `lease_${'A'.repeat(43)}`;

const processEvents = [
  'id: 13.0\nevent: stdout\ndata: {"data":"cc -c main.c\\n","offset":0,"nextOffset":13}\n\n',
  `id: 13.0\nevent: exit\ndata: ${JSON.stringify({ ...process, status: 'exited', exitCode: 0, endedAt: process.startedAt })}\n\n`,
].join('');

export const guestExamples: Record<string, Example> = {
  takeScreenshot: { response: screenshot },
  runActions: {
    request: {
      actions: [
        { action: 'click', x: 640, y: 400 },
        { action: 'type', text: 'hello' },
      ],
      screenshot: { format: 'webp' },
    },
    response: batchResult,
  },
  click: { request: { x: 640, y: 400 }, response: thinResult },
  drag: { request: { startX: 100, startY: 100, endX: 400, endY: 300 }, response: thinResult },
  scroll: { request: { x: 640, y: 400, dy: 3 }, response: thinResult },
  typeText: { request: { text: 'é€日本語', pressEnter: true }, response: thinResult },
  pressKey: { request: { key: 'ctrl+a' }, response: thinResult },
  getClipboard: { response: { text: 'copied' } },
  setClipboard: { request: { text: 'copied' }, response: { text: 'copied' } },
  listWindows: { response: { data: [window] } },
  focusWindow: { response: window },
  getControl: { response: { holder, expiresAt } },
  takeControl: { request: { kind: 'human', name: 'Ada' }, response: { holder, expiresAt, leaseToken } },
  handBackControl: {},
  listTerminals: { response: { data: [{ name: 'main', createdAt: holder.takenAt, attached: true }] } },
  deleteTerminal: {},
  readTerminalRecording: { response: '{"version":2,"width":80,"height":24}\n[0.1,"o","$ "]\n' },
  exec: { request: { command: 'uname', timeoutSeconds: 10 }, response: execResult },
  bash: { request: { script: 'set -e\nuname' }, response: execResult },
  python: { request: { code: 'print("Linux")' }, response: execResult },
  startProcess: { request: { command: 'make -j2', cwd: '/home/agent/work' }, response: process },
  listProcesses: { response: { data: [process] } },
  getProcess: { response: process },
  readProcessOutput: { response: { data: 'cc -c main.c\n', offset: 0, nextOffset: 13, ended: false } },
  streamProcess: { response: processEvents },
  signalProcess: { request: { signal: 'TERM' }, response: process },
  deleteProcess: {},
  listFiles: { response: { data: [file, folder], nextCursor: null } },
  statFile: { response: file },
  readFile: { response: 'any bytes' },
  writeFile: { response: { entry: file, sha256 } },
  createUpload: { request: { path: '~/notes.txt', sizeBytes: 12 }, response: upload },
  getUpload: { response: { ...upload, receivedBytes: 8 } },
  writeUpload: { response: { ...upload, receivedBytes: 12 } },
  finishUpload: { request: { path: '~/notes.txt', sizeBytes: 12, sha256 }, response: { entry: file, sha256 } },
  cancelUpload: {},
  makeDirectory: { request: { path: 'work' }, response: folder },
  moveFile: { request: { from: 'draft.txt', to: 'notes.txt' }, response: file },
  deleteFile: {},
};
