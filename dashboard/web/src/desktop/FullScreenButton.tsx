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
  return (
    <button type="button" class="button" onClick={() => void change().catch(failed)}>
      <Icon name="external" />
      {say(isFull ? 'screen.leaveFull' : 'screen.full')}
    </button>
  );
}
