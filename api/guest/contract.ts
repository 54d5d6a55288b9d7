import type { ProblemCode } from '../http/problems.ts';
import { type TSchema, t } from '../http/schema.ts';
import * as actions from './actionSchema.ts';
import * as control from './controlSchema.ts';
import { Clipboard, WindowList } from './clipboardSchema.ts';
import * as files from './fileSchema.ts';
import * as shell from './shellSchema.ts';
import { TerminalList, TerminalName } from './terminalSchema.ts';

/**
 * Everything that reaches into a running desktop, in one table. Three things are made of it: the public routes below
 * `/v1/desktops/{id}`, the guest half of `openapi/node.json` (hostd serves the same paths below `/guest/{assignmentId}`),
 * and the client that forwards one to the other. Bodies and answers are the same on both sides.
 */
export interface GuestOperation {
  operationId: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v1/desktops/{id}` and `/guest/{assignmentId}`. */
  path: string;
  summary: string;
  capability: 'desktop:control' | 'files:read' | 'files:write';
  /** Rate-limit bucket. */
  bucket: 'input' | 'screenshot' | 'exec' | 'files' | 'control';
  params?: TSchema;
  query?: TSchema;
  /** A schema: a JSON body. `octets`: streamed bytes. */
  body?: TSchema | 'octets';
  /** A schema: a JSON answer with `status`. The others are streamed. */
  response: TSchema | 'image' | 'octets' | 'events' | 'nothing';
  /** Default 200, and 204 for `nothing`. */
  status?: 200 | 201;
  /** Limit of a JSON body. Default 1 MiB. */
  bodyMaxBytes?: number;
  /** Besides those of its bucket. */
  problems?: readonly ProblemCode[];
  /** It writes with mouse, keyboard or clipboard, so whoever holds control may be somebody else. */
  writes?: true;
  /** Member of the answer that a replay leaves out. */
  secret?: string;
  /** A hostd of 0.1.0 does not know it. */
  younger?: true;
}

const MiB = 1_048_576;
const text = { maxLength: 100 };
const flag = (about: string) => t.Optional(t.Boolean({ description: about }));
/** A command is started in a folder, which may not be there. */
const starting: readonly ProblemCode[] = ['invalid_path', 'file_not_found', 'not_a_directory', 'permission_denied'];
const processParams = t.Object({ processId: shell.ProcessId });

const screenshotQuery = t.Object({
  as: t.Optional(
    t.Union([t.Literal('image'), t.Literal('json')], {
      description:
        'Default image: the bytes, with the frame in the `Frame` header as JSON; 304 when unchanged since `since`.',
    }),
  ),
  format: t.Optional(actions.ImageFormat),
  quality: t.Optional(t.Integer({ minimum: 1, maximum: 100 })),
  maxEdge: t.Optional(t.Integer({ minimum: 16, maximum: 4096 })),
  region: t.Optional(
    t.String({ pattern: '^\\d{1,5},\\d{1,5},\\d{1,5},\\d{1,5}$', description: 'x,y,width,height in screen pixels.' }),
  ),
  since: t.Optional(t.String({ pattern: '^fr_[0-7][0-9a-hjkmnp-tv-z]{25}$' })),
});

const eyesAndHands: GuestOperation[] = [
  {
    operationId: 'takeScreenshot',
    method: 'GET',
    path: '/screenshot',
    summary: 'Take a screenshot',
    capability: 'desktop:control',
    bucket: 'screenshot',
    query: screenshotQuery,
    response: 'image',
  },
  {
    operationId: 'runActions',
    method: 'POST',
    path: '/actions',
    summary: 'Run a batch of actions, then look',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: actions.ActionBatch,
    response: actions.ActionBatchResult,
    bodyMaxBytes: 4 * MiB,
  },
  {
    operationId: 'click',
    method: 'POST',
    path: '/click',
    summary: 'Click',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: actions.ClickBody,
    response: actions.ActionBatchResult,
  },
  {
    operationId: 'drag',
    method: 'POST',
    path: '/drag',
    summary: 'Drag',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: actions.DragBody,
    response: actions.ActionBatchResult,
  },
  {
    operationId: 'scroll',
    method: 'POST',
    path: '/scroll',
    summary: 'Scroll',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: actions.ScrollBody,
    response: actions.ActionBatchResult,
  },
  {
    operationId: 'typeText',
    method: 'POST',
    path: '/type',
    summary: 'Type text',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: actions.TypeBody,
    response: actions.ActionBatchResult,
  },
  {
    operationId: 'pressKey',
    method: 'POST',
    path: '/key',
    summary: 'Press a key or chord',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: actions.KeyBody,
    response: actions.ActionBatchResult,
  },
  {
    operationId: 'getClipboard',
    method: 'GET',
    path: '/clipboard',
    summary: 'Read the clipboard',
    capability: 'desktop:control',
    bucket: 'input',
    response: Clipboard,
    problems: ['payload_too_large'],
  },
  {
    operationId: 'setClipboard',
    method: 'PUT',
    path: '/clipboard',
    summary: 'Set the clipboard',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    body: Clipboard,
    response: Clipboard,
    bodyMaxBytes: 5 * MiB,
  },
  {
    operationId: 'listWindows',
    method: 'GET',
    path: '/windows',
    summary: 'List windows',
    capability: 'desktop:control',
    bucket: 'input',
    response: WindowList,
  },
  {
    operationId: 'focusWindow',
    method: 'POST',
    path: '/windows/:windowId/focus',
    summary: 'Bring a window to the front',
    capability: 'desktop:control',
    bucket: 'input',
    writes: true,
    params: t.Object({ windowId: t.String({ pattern: '^0x[0-9a-f]{1,8}$' }) }),
    response: actions.Window,
  },
];

const shellOperations: GuestOperation[] = [
  {
    operationId: 'exec',
    method: 'POST',
    path: '/exec',
    summary: 'Run one command',
    capability: 'desktop:control',
    bucket: 'exec',
    body: shell.ExecBody,
    response: shell.ExecResult,
    problems: starting,
    bodyMaxBytes: 4 * MiB,
  },
  {
    operationId: 'bash',
    method: 'POST',
    path: '/bash',
    summary: 'Run a bash script',
    capability: 'desktop:control',
    bucket: 'exec',
    body: shell.BashBody,
    response: shell.ExecResult,
    problems: starting,
    bodyMaxBytes: 4 * MiB,
  },
  {
    operationId: 'python',
    method: 'POST',
    path: '/python',
    summary: 'Run Python code',
    capability: 'desktop:control',
    bucket: 'exec',
    body: shell.PythonBody,
    response: shell.ExecResult,
    problems: starting,
    bodyMaxBytes: 4 * MiB,
  },
  {
    operationId: 'startProcess',
    method: 'POST',
    path: '/processes',
    summary: 'Start a long command',
    capability: 'desktop:control',
    bucket: 'exec',
    body: shell.ProcessBody,
    response: shell.Process,
    status: 201,
    problems: [...starting, 'quota_exceeded', 'disk_full'],
    bodyMaxBytes: 4 * MiB,
  },
  {
    operationId: 'listProcesses',
    method: 'GET',
    path: '/processes',
    summary: 'List started commands',
    capability: 'desktop:control',
    bucket: 'exec',
    response: shell.ProcessList,
  },
  {
    operationId: 'getProcess',
    method: 'GET',
    path: '/processes/:processId',
    summary: 'Get a started command',
    capability: 'desktop:control',
    bucket: 'exec',
    params: processParams,
    response: shell.Process,
  },
  {
    operationId: 'readProcessOutput',
    method: 'GET',
    path: '/processes/:processId/output',
    summary: 'Read output of a started command',
    capability: 'desktop:control',
    bucket: 'exec',
    params: processParams,
    query: t.Object({
      stream: t.Optional(t.Union([t.Literal('stdout'), t.Literal('stderr')])),
      offset: t.Optional(t.Integer({ minimum: 0 })),
      maxBytes: t.Optional(t.Integer({ minimum: 1, maximum: 8 * MiB })),
    }),
    response: shell.ProcessOutput,
  },
  {
    operationId: 'streamProcess',
    method: 'GET',
    path: '/processes/:processId/events',
    summary: 'Follow output of a started command (SSE: stdout, stderr, exit)',
    capability: 'desktop:control',
    bucket: 'exec',
    params: processParams,
    response: 'events',
  },
  {
    operationId: 'signalProcess',
    method: 'POST',
    path: '/processes/:processId/signal',
    summary: 'Signal a started command',
    capability: 'desktop:control',
    bucket: 'exec',
    params: processParams,
    body: shell.SignalBody,
    response: shell.Process,
  },
  {
    operationId: 'deleteProcess',
    method: 'DELETE',
    path: '/processes/:processId',
    summary: 'Kill a started command and forget its output',
    capability: 'desktop:control',
    bucket: 'exec',
    params: processParams,
    response: 'nothing',
  },
];

const fileOperations: GuestOperation[] = [
  {
    operationId: 'listFiles',
    method: 'GET',
    path: '/files',
    summary: 'List a folder',
    capability: 'files:read',
    bucket: 'files',
    query: t.Object({
      path: t.Optional(files.Path),
      limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000 })),
      cursor: t.Optional(t.String(text)),
    }),
    response: files.FileList,
    problems: ['payload_too_large'],
  },
  {
    operationId: 'statFile',
    method: 'GET',
    path: '/files/stat',
    summary: 'Look at one file or folder',
    capability: 'files:read',
    bucket: 'files',
    query: t.Object({ path: files.Path }),
    response: files.FileEntry,
  },
  {
    operationId: 'readFile',
    method: 'GET',
    path: '/files/content',
    summary: 'Read a file (Range: bytes= is honoured)',
    capability: 'files:read',
    bucket: 'files',
    query: t.Object({ path: files.Path }),
    response: 'octets',
  },
  {
    operationId: 'writeFile',
    method: 'PUT',
    path: '/files/content',
    summary: 'Write a file, whole or not at all',
    capability: 'files:write',
    bucket: 'files',
    query: t.Object({
      path: files.Path,
      mode: t.Optional(
        t.String({ pattern: '^0?[0-7]{3}$', description: 'Default 0644, or that of the file replaced.' }),
      ),
      parents: flag('Make missing folders. Default true.'),
      overwrite: flag('Default true.'),
    }),
    body: 'octets',
    response: files.WriteReceipt,
  },
  {
    operationId: 'makeDirectory',
    method: 'POST',
    path: '/files/directories',
    summary: 'Make a folder',
    capability: 'files:write',
    bucket: 'files',
    body: files.DirectoryBody,
    response: files.FileEntry,
    status: 201,
  },
  {
    operationId: 'moveFile',
    method: 'POST',
    path: '/files/move',
    summary: 'Move or rename',
    capability: 'files:write',
    bucket: 'files',
    body: files.MoveBody,
    response: files.FileEntry,
  },
  {
    operationId: 'deleteFile',
    method: 'DELETE',
    path: '/files',
    summary: 'Delete a file, or a folder when asked',
    capability: 'files:write',
    bucket: 'files',
    query: t.Object({ path: files.Path, recursive: flag('Default false.') }),
    response: 'nothing',
  },
];

const controlOperations: GuestOperation[] = [
  {
    operationId: 'getControl',
    method: 'GET',
    path: '/control',
    summary: 'See who has control',
    capability: 'desktop:control',
    bucket: 'control',
    response: control.Control,
    younger: true,
  },
  {
    operationId: 'takeControl',
    method: 'POST',
    path: '/control',
    summary: 'Take control, or renew it with its `leaseToken`',
    capability: 'desktop:control',
    bucket: 'control',
    body: control.TakeControl,
    response: control.ControlLease,
    problems: ['human_control', 'control_held'],
    secret: 'leaseToken',
    younger: true,
  },
  {
    operationId: 'handBackControl',
    method: 'DELETE',
    path: '/control',
    summary: 'Hand control back',
    capability: 'desktop:control',
    bucket: 'control',
    response: 'nothing',
    problems: ['human_control', 'control_held'],
    younger: true,
  },
];

const terminalParams = t.Object({ terminalName: TerminalName });
const terminalOperations: GuestOperation[] = [
  {
    operationId: 'listTerminals',
    method: 'GET',
    path: '/terminals',
    summary: 'List terminals, shown or not',
    capability: 'desktop:control',
    bucket: 'exec',
    response: TerminalList,
    younger: true,
  },
  {
    operationId: 'deleteTerminal',
    method: 'DELETE',
    path: '/terminals/:terminalName',
    summary: 'End a terminal and what runs in it',
    capability: 'desktop:control',
    bucket: 'exec',
    params: terminalParams,
    response: 'nothing',
    younger: true,
  },
  {
    operationId: 'readTerminalRecording',
    method: 'GET',
    path: '/terminals/:terminalName/recording',
    summary: 'Read the recording of a terminal (asciicast v2)',
    capability: 'desktop:control',
    bucket: 'exec',
    params: terminalParams,
    response: 'octets',
    younger: true,
  },
];

export const guestOperations: readonly GuestOperation[] = [
  ...eyesAndHands,
  ...controlOperations,
  ...shellOperations,
  ...terminalOperations,
  ...fileOperations,
];
