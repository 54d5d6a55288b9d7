/** What hostd says beside the picture: who may write now. */
export interface ControlNews {
  holder: { kind: 'human' | 'agent'; name: string } | null;
  expiresAt: string | null;
  isYours: boolean;
}

/**
 * The socket as noVNC wants it: bytes only. Text messages are about control and go to `onControl`. It has the members that
 * noVNC looks for in a raw channel.
 */
export class ScreenChannel {
  readonly #socket: WebSocket;
  binaryType: BinaryType = 'arraybuffer';
  readonly protocol = '';
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;

  constructor(socket: WebSocket, onControl: (news: ControlNews) => void) {
    this.#socket = socket;
    socket.addEventListener('open', () => this.onopen?.());
    socket.addEventListener('close', (event) => this.onclose?.(event));
    socket.addEventListener('error', (event) => this.onerror?.(event));
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data !== 'string') return this.onmessage?.({ data });
      const news = JSON.parse(data) as { type?: string } & ControlNews;
      return news.type === 'control' ? onControl(news) : undefined;
    });
  }

  get readyState(): number {
    return this.#socket.readyState;
  }

  send(bytes: ArrayBufferView<ArrayBuffer>): void {
    this.#socket.send(bytes);
  }

  sendControl(leaseToken: string): void {
    this.#socket.send(JSON.stringify({ type: 'control', leaseToken }));
  }

  close(): void {
    this.#socket.close();
  }
}
