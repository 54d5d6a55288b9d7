import type {
  Action,
  ActionBatchResult,
  DesktopCreate,
  DesktopData,
  DesktopStatus,
  ExecResult,
  FileEntry,
  ScreenshotWire,
} from '../types.ts';
import { FakeProblem } from './problem.ts';

/** 16 × 10 pixels of one grey. */
const picture = 'iVBORw0KGgoAAAANSUhEUgAAABAAAAAKCAAAAACY1YFAAAAAD0lEQVR42mOYgAYYBqsAAORdWgG8kFpzAAAAAElFTkSuQmCC';
const screen = { width: 1280, height: 800 };
const epoch = '2026-01-01T00:00:00.000Z';

const actionsBy: Partial<Record<DesktopStatus, DesktopData['allowedActions']>> = {
  running: ['stop', 'restart', 'delete'],
  stopped: ['start', 'delete'],
  destroyed: [],
};

/** What a fake answers to a command: stdout, or the whole result. */
export type FakeShell = (command: string, stdin: string) => string | Partial<ExecResult>;

/** One desktop in memory: a grey screen, a flat file system, and a shell that says what the test wants. */
export class FakeDesktop {
  readonly data: DesktopData;
  /** Every action that was run, in order. */
  readonly actions: Action[] = [];
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  /** What came in of uploads that are not finished. */
  readonly uploads = new Map<string, Uint8Array<ArrayBuffer>>();
  clipboard = '';
  shell: FakeShell = (command) => `${command}\n`;
  #frames = 0;

  constructor(id: string, body: DesktopCreate) {
    const size = body.size ?? body.tier ?? (body.hardware ? null : 'nano');
    this.data = {
      id,
      name: body.name ?? 'desktop',
      status: 'pending',
      ready: false,
      agentReady: false,
      allowedActions: ['delete'],
      tier: size,
      size,
      hardware: body.hardware ?? { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
      template: { id: 'tpl_00000000000000000000000001', name: 'fake' },
      labels: body.labels ?? {},
      nodeSelector: body.nodeSelector ?? {},
      network: body.network ?? 'internet',
      timeZone: body.timeZone ?? 'Etc/UTC',
      ipAddress: null,
      nodeId: 'nod_00000000000000000000000001',
      startMode: null,
      ephemeral: body.ephemeral ?? false,
      ttlSeconds: body.ephemeral ? (body.ttlSeconds ?? 3600) : null,
      expiresAt: null,
      keepAlive: !body.ephemeral,
      control: null,
      error: null,
      createdAt: epoch,
      timings: { createdAt: epoch, startedAt: epoch, runningAt: null, readyAt: null, destroyedAt: null },
    };
  }

  become(status: DesktopStatus): void {
    const running = status === 'running';
    Object.assign(this.data, {
      status,
      ready: running,
      agentReady: running,
      allowedActions: actionsBy[status] ?? ['delete'],
      startMode: running ? 'warm' : this.data.startMode,
    });
  }

  /** @throws FakeProblem as the API answers a desktop that cannot be used now. */
  mustBeReady(): void {
    if (!this.data.ready) throw new FakeProblem(503, 'not_ready', { retryAfterSeconds: 0.01 });
  }

  screenshot(): ScreenshotWire {
    const frameId = `fr_${String(++this.#frames).padStart(26, '0')}`;
    return {
      frame: {
        frameId,
        width: 16,
        height: 10,
        scale: 16 / screen.width,
        screenWidth: screen.width,
        screenHeight: screen.height,
        region: { x: 0, y: 0, ...screen },
        hash: 'grey',
        takenAt: epoch,
      },
      unchanged: false,
      images: [{ format: 'png', width: 16, height: 10, x: 0, y: 0, data: picture }],
    };
  }

  run(actions: Action[], look: boolean): ActionBatchResult {
    const results: ActionBatchResult['results'] = [];
    for (const action of actions) {
      const outside = 'x' in action && action.x !== undefined && (action.x < 0 || action.x > screen.width);
      if (outside) {
        const error = { code: 'out_of_bounds', detail: `x ${action.x} lies outside the screen.`, hint: 'Look again.' };
        results.push({ action: action.action, ok: false, durationMs: 0, error });
        break;
      }
      this.actions.push(action);
      results.push({ action: action.action, ok: true, durationMs: 1 });
    }
    return {
      completed: results.filter((result) => result.ok).length,
      results,
      settled: true,
      screenshot: look ? this.screenshot() : null,
      cursor: { x: 0, y: 0 },
      activeWindow: null,
    };
  }

  exec(command: string, stdin: string): ExecResult {
    const said = this.shell(command, stdin);
    const result = typeof said === 'string' ? { stdout: said } : said;
    return { stdout: '', stderr: '', exitCode: 0, timedOut: false, truncated: false, durationMs: 1, ...result };
  }

  entry(path: string): FileEntry {
    const bytes = this.files.get(path);
    if (!bytes) throw new FakeProblem(404, 'file_not_found');
    return {
      name: path.slice(path.lastIndexOf('/') + 1),
      path,
      type: 'file',
      sizeBytes: bytes.length,
      mode: '0644',
      uid: 1000,
      gid: 1000,
      modifiedAt: epoch,
      linkTarget: null,
    };
  }
}
