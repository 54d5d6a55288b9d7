import type { GuestOperationId } from './operation.ts';

/** Method and path below `/guest/{assignmentId}` of each operation; a test compares it with `openapi/node.json`. */
export const guestRoutes: Readonly<Record<GuestOperationId, readonly [method: string, path: string]>> = {
  takeScreenshot: ['GET', '/screenshot'],
  runActions: ['POST', '/actions'],
  click: ['POST', '/click'],
  drag: ['POST', '/drag'],
  scroll: ['POST', '/scroll'],
  typeText: ['POST', '/type'],
  pressKey: ['POST', '/key'],
  getClipboard: ['GET', '/clipboard'],
  setClipboard: ['PUT', '/clipboard'],
  listWindows: ['GET', '/windows'],
  focusWindow: ['POST', '/windows/{windowId}/focus'],
  getControl: ['GET', '/control'],
  takeControl: ['POST', '/control'],
  handBackControl: ['DELETE', '/control'],
  exec: ['POST', '/exec'],
  bash: ['POST', '/bash'],
  python: ['POST', '/python'],
  startProcess: ['POST', '/processes'],
  listProcesses: ['GET', '/processes'],
  getProcess: ['GET', '/processes/{processId}'],
  readProcessOutput: ['GET', '/processes/{processId}/output'],
  streamProcess: ['GET', '/processes/{processId}/events'],
  signalProcess: ['POST', '/processes/{processId}/signal'],
  deleteProcess: ['DELETE', '/processes/{processId}'],
  listTerminals: ['GET', '/terminals'],
  deleteTerminal: ['DELETE', '/terminals/{terminalName}'],
  readTerminalRecording: ['GET', '/terminals/{terminalName}/recording'],
  putTerminalRecording: ['PUT', '/terminals/{terminalName}/recording'],
  openStream: ['GET', '/streams/{kind}'],
  listFiles: ['GET', '/files'],
  statFile: ['GET', '/files/stat'],
  readFile: ['GET', '/files/content'],
  writeFile: ['PUT', '/files/content'],
  createUpload: ['POST', '/files/uploads'],
  getUpload: ['GET', '/files/uploads/{uploadId}'],
  writeUpload: ['PUT', '/files/uploads/{uploadId}'],
  finishUpload: ['POST', '/files/uploads/{uploadId}/finish'],
  cancelUpload: ['DELETE', '/files/uploads/{uploadId}'],
  makeDirectory: ['POST', '/files/directories'],
  moveFile: ['POST', '/files/move'],
  deleteFile: ['DELETE', '/files'],
};

export interface Route {
  assignmentId: string;
  operationId: GuestOperationId;
  params: Record<string, string>;
}

export type Match = Route | 'no path' | 'no method';

interface Pattern {
  operationId: GuestOperationId;
  method: string;
  parts: readonly string[];
}

const patterns: readonly Pattern[] = Object.entries(guestRoutes).map(([operationId, [method, path]]) => ({
  operationId: operationId as GuestOperationId,
  method,
  parts: path.split('/').slice(1),
}));

const assignmentIdPattern = /^asg_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
/** Of windows and processes: nothing that could mean a path anywhere. */
const paramPattern = /^[A-Za-z0-9_-]{1,64}$/;

export function matchRoute(method: string, path: string): Match {
  const [empty, guest, assignmentId, ...rest] = path.split('/');
  if (empty !== '' || guest !== 'guest' || assignmentId === undefined || !assignmentIdPattern.test(assignmentId))
    return 'no path';
  let known = false;
  for (const pattern of patterns) {
    const params = paramsOf(pattern.parts, rest);
    if (params === undefined) continue;
    known = true;
    if (pattern.method === method) return { assignmentId, operationId: pattern.operationId, params };
  }
  return known ? 'no method' : 'no path';
}

function paramsOf(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (parts.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of parts.entries()) {
    const text = given[at] ?? '';
    if (!part.startsWith('{')) {
      if (part !== text) return undefined;
    } else if (paramPattern.test(text)) params[part.slice(1, -1)] = text;
    else return undefined;
  }
  return params;
}
