import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { openStream } from './openStream.ts';
import { adoptInlineStyles } from './adoptInlineStyles.ts';
import { adoptStyles } from './adoptStyles.ts';

export type TerminalState = 'connecting' | 'live' | 'lost' | 'ended';

const againMaxMs = 10_000;
/** More is a file, which is uploaded. */
const typedMaxBytes = 1_000_000;
const pieceBytes = 65_536;
/** The stream ended as it should: the shell is over. */
const normalClose = 1000;

/** A terminal of a desktop in an element; the same shell is found again after the network was lost. */
export class TerminalSession {
  readonly #desktopId: string;
  readonly #name: string;
  readonly #onState: (state: TerminalState) => void;
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #observer: ResizeObserver;
  #socket: WebSocket | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #ended = false;

  constructor(of: {
    desktopId: string;
    name: string;
    target: HTMLElement;
    onState: (state: TerminalState) => void;
    onTooLong: () => void;
  }) {
    this.#desktopId = of.desktopId;
    this.#name = of.name;
    this.#onState = of.onState;
    adoptStyles();
    adoptInlineStyles();
    this.#terminal = new Terminal({
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
      fontSize: 14,
      cursorBlink: true,
      scrollback: 5000,
      screenReaderMode: false,
      theme: { background: '#15171b', foreground: '#e6e4df', cursor: '#93a5ff' },
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.open(of.target);
    this.#fit.fit();
    const encoder = new TextEncoder();
    this.#terminal.onData((text) => {
      const bytes = encoder.encode(text);
      // Half a paste does harm: it is sent whole or not at all.
      if (bytes.length > typedMaxBytes) return of.onTooLong();
      for (let at = 0; at < bytes.length; at += pieceBytes) this.#send(bytes.subarray(at, at + pieceBytes));
    });
    this.#terminal.onResize(({ cols, rows }) => this.#say({ type: 'resize', columns: cols, rows }));
    this.#observer = new ResizeObserver(() => this.#fit.fit());
    this.#observer.observe(of.target);
    void this.#connect();
  }

  focus(): void {
    this.#terminal.focus();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#again);
    this.#observer.disconnect();
    this.#socket?.close();
    this.#terminal.dispose();
  }

  async #connect(): Promise<void> {
    this.#onState('connecting');
    try {
      const { cols: columns, rows } = this.#terminal;
      const wish = { kind: 'terminal' as const, terminalName: this.#name, columns, rows };
      const socket = await openStream(this.#desktopId, wish);
      if (this.#ended) return socket.close();
      this.#socket = socket;
      socket.addEventListener('open', () => {
        this.#failures = 0;
        this.#onState('live');
        this.#terminal.focus();
      });
      socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
        if (typeof data !== 'string') this.#terminal.write(new Uint8Array(data));
      });
      socket.addEventListener('close', (event) => this.#onClosed(event.code));
    } catch {
      this.#onClosed(0);
    }
  }

  #onClosed(code: number): void {
    if (this.#ended) return;
    this.#socket = undefined;
    if (code === normalClose) return this.#onState('ended');
    this.#onState('lost');
    this.#failures += 1;
    const pauseMs = Math.min(againMaxMs, 500 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#again = setTimeout(() => void this.#connect(), pauseMs);
  }

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  #say(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
