import { Fault } from '@lebureau/kit/fault';
import type { InitChannel } from '../init/channel.ts';
import { findTextSource } from './findText.ts';

const outputMaxBytes = 16_384;
const startTimeoutMs = 15_000;
/** Python under emulation takes its time to start; so much is added to what the caller grants. */
const pythonStartMs = 10_000;
const foundNothing = 3;

/** What is done in the guest by its own programs, as the user of the desktop. */
export class GuestPrograms {
  private readonly init: () => Promise<InitChannel>;

  constructor(init: () => Promise<InitChannel>) {
    this.init = init;
  }

  /** Opens it in the browser and does not wait for that. @throws Fault `guest_unreachable`. */
  async openUrl(url: string, signal: AbortSignal): Promise<void> {
    const script =
      'for browser in x-www-browser firefox-esr firefox chromium exo-open xdg-open; do ' +
      'command -v "$browser" >/dev/null && exec setsid -f "$browser" "$1" >/dev/null 2>&1 </dev/null; done; exit 127';
    const { exitCode } = await this.run(['sh', '-c', script, 'sh', url], { timeoutMs: startTimeoutMs, signal });
    if (exitCode !== 0) throw new Fault('guest_unreachable', 'The desktop could not start a browser.');
  }

  /** Waits until the accessibility tree has `text`. @returns the text it was found in; undefined when time was over. */
  async findText(text: string, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
    const argv = ['python3', '-c', findTextSource, text, String(timeoutMs)];
    const result = await this.run(argv, { timeoutMs: timeoutMs + pythonStartMs, signal });
    if (result.exitCode === 0) return Buffer.from(result.stdout).toString('utf8').trim().slice(0, 500);
    if (result.exitCode === foundNothing || result.timedOut) return undefined;
    throw new Fault('guest_unreachable', 'The accessibility tree of the desktop cannot be read.', {
      cause: new Error(Buffer.from(result.stderr).toString('utf8').slice(-500)),
    });
  }

  /** Keeps `text` in the clipboard by a program of the guest, which ends when another takes the clipboard. */
  async keepClipboard(text: string): Promise<void> {
    const argv = ['sh', '-c', 'exec xclip -selection clipboard -in >/dev/null 2>&1'];
    await this.run(argv, { timeoutMs: startTimeoutMs, stdin: Buffer.from(text, 'utf8') });
  }

  private async run(argv: readonly string[], options: { timeoutMs: number; signal?: AbortSignal; stdin?: Uint8Array }) {
    const channel = await this.init();
    return channel.exec({ argv, user: 'agent', outputMaxBytes, ...options });
  }
}
