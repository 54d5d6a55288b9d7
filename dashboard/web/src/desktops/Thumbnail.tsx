import type { DesktopData } from '@lebureau/sdk/types';
import { useEffect, useRef, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { Icon } from '../ui/Icon.tsx';

const everyMs = 2500;
/** After an answer that says no, such as a screen that is not there yet. */
const laterMs = 6000;
const edge = 480;

/** The screen, small. Asked for while it can be seen only, and sent only when it changed. */
export function Thumbnail({ desktop }: { desktop: DesktopData }) {
  const box = useRef<HTMLDivElement>(null);
  const [url, setUrl] = useState<string>();
  const { id, ready } = desktop;
  useEffect(() => {
    if (!ready) return undefined;
    const watch = new ScreenWatch(id, setUrl);
    const observer = new IntersectionObserver(([entry]) => watch.show(entry!.isIntersecting));
    observer.observe(box.current!);
    return () => {
      observer.disconnect();
      watch.end();
    };
  }, [id, ready]);
  return (
    <div class="thumbnail" ref={box}>
      {ready && url !== undefined ? (
        <img src={url} alt={say('desktop.screenOf', { name: desktop.name })} draggable={false} />
      ) : (
        <Icon name="desktop" />
      )}
    </div>
  );
}

class ScreenWatch {
  readonly #id: string;
  readonly #onPicture: (url: string | undefined) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = false;
  #asking = false;
  #ended = false;
  #frameId: string | undefined;
  #url: string | undefined;

  constructor(id: string, onPicture: (url: string | undefined) => void) {
    this.#id = id;
    this.#onPicture = onPicture;
  }

  show(isShown: boolean): void {
    this.#shown = isShown;
    if (isShown && !this.#asking) void this.#ask();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url);
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#ended || !this.#shown) return;
    this.#asking = true;
    const isHidden = document.visibilityState === 'hidden';
    const isFine = isHidden || (await this.#look().catch(() => false));
    this.#asking = false;
    if (!this.#ended) this.#timer = setTimeout(() => void this.#ask(), isFine ? everyMs : laterMs);
  }

  async #look(): Promise<boolean> {
    const query = new URLSearchParams({ format: 'webp', quality: '60', maxEdge: String(edge) });
    if (this.#frameId !== undefined) query.set('since', this.#frameId);
    const response = await fetch(`/v1/desktops/${this.#id}/screenshot?${query.toString()}`);
    if (response.status === 304) return true;
    if (!response.ok) return false;
    const frame = JSON.parse(response.headers.get('frame') ?? '{}') as { frameId?: string };
    const url = URL.createObjectURL(await response.blob());
    if (this.#ended) {
      URL.revokeObjectURL(url);
      return true;
    }
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url);
    this.#frameId = frame.frameId;
    this.#url = url;
    this.#onPicture(url);
    return true;
  }
}
