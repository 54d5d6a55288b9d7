import { AbortedError, ApiError, CallTimeoutError, ConnectionError } from '@lebureau/sdk/faults';
import { DesktopFailedError } from '@lebureau/sdk/desktop';
import type { ScreenshotWire } from '@lebureau/sdk/types';
import type { Answer, ToolCall } from './tool.ts';

type NextCall = (error: ApiError, desktopId: string) => string;

/** For each code the call that helps. Codes without a row give the API's own hint. */
const nextCalls: Readonly<Record<string, NextCall>> = {
  not_ready: (_error, id) => `desktops_wait {"desktopId":"${id}"}`,
  wrong_state: (error, id) => allowed(error, id),
  not_found: () => 'desktops_list {}',
  file_not_found: (_error, id) => `desktop_files_list {"desktopId":"${id}","path":"…the folder above…"}`,
  is_a_directory: (_error, id) => `desktop_files_list {"desktopId":"${id}","path":"…the same path…"}`,
  file_exists: () => 'the same call with overwrite true, or with another path',
  not_a_directory: (_error, id) => `desktop_files_list {"desktopId":"${id}","path":"…the folder above…"}`,
  directory_not_empty: () => 'desktop_files_delete with recursive true, if all that is in it may go',
  permission_denied: (_error, id) =>
    `desktop_exec {"desktopId":"${id}","user":"root","command":"…"}, or a path below /home/agent`,
  invalid_path: () => 'the same call with an absolute path, or one relative to /home/agent',
  disk_full: (_error, id) =>
    `desktop_exec {"desktopId":"${id}","command":"df -h; du -xh ~ | sort -h | tail"}, then make room`,
  unknown_key: (error) => `desktop_key with ${nearKeys(error)}, or desktop_type for text`,
  payload_too_large: () => 'the same in smaller parts: desktop_files_write for long text, desktop_exec to read a part',
  timeout: (_error, id) =>
    `desktop_screenshot {"desktopId":"${id}"} to see what was done, then a shorter step or a longer timeoutSeconds`,
  node_unreachable: (error, id) => `desktops_get {"desktopId":"${id}"} in ${secondsOf(error, 5)} s`,
  unavailable: (error) => `the same call in ${secondsOf(error, 1)} s`,
  internal: () => 'the same call once more; if it fails again, tell the user the request',
  stale_frame: () => 'the same call with the frameId of the fresh screenshot',
  out_of_bounds: (_error, id) => `desktop_screenshot {"desktopId":"${id}"}, then coordinates inside of it`,
  quota_exceeded: (error, id) =>
    error.problem.quota === undefined && id !== ''
      ? `desktop_exec {"desktopId":"${id}","command":"ps"}, then end what is no longer needed`
      : 'desktops_list {}, then desktops_delete for one that is no longer needed',
  no_capacity: () => 'desktops_list {}, then desktops_stop or desktops_delete, or a smaller size',
  guest_unreachable: (_error, id) => `desktops_get {"desktopId":"${id}"}, and desktops_restart if it stays so`,
  capture_failed: (_error, id) => `desktop_screenshot {"desktopId":"${id}"} once more`,
  rate_limited: (error) => `the same call in ${secondsOf(error, 1)} s`,
  human_control: (error, id) =>
    `desktop_screenshot {"desktopId":"${id}"} to see what ${holderOf(error)} does; ask the user to hand back control before you write again`,
  control_held: (_error, id) => `desktop_screenshot {"desktopId":"${id}"}, and the same call once it is handed back`,
  unsupported: () => 'none on this desktop: ask the user to upgrade hostd of its node',
  capability_missing: (error) =>
    `none with this key: ask the user for one with ${String(error.problem.capability ?? 'more capabilities')}`,
};

/** What failed, the state now, the next call. @returns undefined for what is no expected failure. */
export async function faultAnswer(error: unknown, call: ToolCall | undefined): Promise<Answer | undefined> {
  if (error instanceof ApiError) return await apiFault(error, call);
  if (error instanceof DesktopFailedError) return failed(`${error.message}.`);
  if (error instanceof CallTimeoutError || error instanceof AbortedError) {
    return failed(
      'It took longer than a call may take, and may still be going on. Next: desktops_get to see the state, then a shorter step.',
    );
  }
  if (error instanceof ConnectionError) {
    return failed(
      'Le Bureau cannot be reached. Nothing is known about the effect. Next: the same call in some seconds; then ask the user whether it runs.',
    );
  }
  return undefined;
}

async function apiFault(error: ApiError, call: ToolCall | undefined): Promise<Answer> {
  const next = nextCalls[error.code]?.(error, call?.desktop.id ?? '') ?? error.hint ?? 'none';
  const state = call ? await stateNow(error, call) : '';
  const fields = (error.problem.errors ?? [])
    .map((field) => `${field.pointer ?? ''}: ${field.message ?? ''}`)
    .join('; ');
  const what = `${error.detail} [${error.code}]${fields ? ` ${fields}` : ''}`;
  const answer = failed(`Failed: ${what}${state}\nNext: ${next}. (request ${error.requestId ?? 'unknown'})`);
  const fresh = error.problem.screenshot as ScreenshotWire | undefined;
  const image = fresh?.images?.[0];
  if (fresh && image) {
    answer.text += `\nFresh screenshot ${fresh.frame.frameId}: ${fresh.frame.width}×${fresh.frame.height} px.`;
    answer.image = { data: image.data, mimeType: `image/${image.format}` };
  }
  return answer;
}

const statusMatters = new Set(['not_ready', 'wrong_state', 'guest_unreachable', 'node_unreachable']);

/** One more look, on this way only, so that the model need not ask. */
async function stateNow(error: ApiError, { desktop }: ToolCall): Promise<string> {
  if (!statusMatters.has(error.code) || desktop.id === '') return '';
  const data = await desktop.refresh({}, { timeoutMs: 2000, retriesMax: 0 }).catch(() => undefined);
  if (!data) return '';
  return `\nState: ${data.status}, ready ${data.ready}, allowedActions ${data.allowedActions.join(', ') || 'none'}.`;
}

function allowed(error: ApiError, desktopId: string): string {
  const actions = Array.isArray(error.problem.allowedActions) ? (error.problem.allowedActions as string[]) : [];
  if (actions.length === 0) return `desktops_get {"desktopId":"${desktopId}"}`;
  return actions.map((action) => `desktops_${action} {"desktopId":"${desktopId}"}`).join(' or ');
}

function holderOf({ problem }: ApiError): string {
  const name = (problem.holder as { name?: unknown } | undefined)?.name;
  return typeof name === 'string' ? name : 'the person';
}

function secondsOf(error: ApiError, otherwise: number): number {
  return Math.ceil((error.retryAfterMs ?? otherwise * 1000) / 1000);
}

function nearKeys({ problem }: ApiError): string {
  const near = Array.isArray(problem.nearMatches) ? (problem.nearMatches as string[]) : [];
  return near.length > 0 ? near.map((name) => `"${name}"`).join(' or ') : 'another name';
}

function failed(text: string): Answer {
  return { text, failed: true };
}
