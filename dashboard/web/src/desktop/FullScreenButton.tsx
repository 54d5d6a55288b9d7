import { useEffect, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { Icon } from '../ui/Icon.tsx';
import { failed } from '../ui/Toasts.tsx';

/** The whole page goes there, in which the screen covers everything: menus and messages are seen above it. */
export function FullScreenButton() {
  const [isFull, setFull] = useState(false);
  useEffect(() => {
    const look = () => setFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', look);
    return () => {
      document.removeEventListener('fullscreenchange', look);
      if (document.fullscreenElement !== null) void document.exitFullscreen().catch(() => undefined);
    };
  }, []);
  // Browsers of small phones have it for films only.
  if (!document.fullscreenEnabled) return null;
  const change = () => (isFull ? document.exitFullscreen() : document.documentElement.requestFullscreen());
  const words = say(isFull ? 'screen.leaveFull' : 'screen.full');
  return (
    <button type="button" class="button" title={words} onClick={() => void change().catch(failed)}>
      <Icon name="expand" />
      <span class="where-wide">{words}</span>
    </button>
  );
}
