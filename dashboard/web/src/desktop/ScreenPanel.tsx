import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { onlyWatches, session } from '../session.ts';
import type { ControlNews } from '../streams/screenChannel.ts';
import { type ScreenState, ScreenSession } from '../streams/screenSession.ts';
import { Icon } from '../ui/Icon.tsx';
import { failed } from '../ui/Toasts.tsx';
import { FullScreenButton } from './FullScreenButton.tsx';
import { KeysMenu } from './KeysMenu.tsx';
import { TouchKeyboard } from './TouchKeyboard.tsx';
import './screen.css';

const nobody: ControlNews = { holder: null, expiresAt: null, isYours: false };

/** The live screen: look at once, take the mouse when wanted, hand it back. */
export function ScreenPanel({ desktop }: { desktop: DesktopData }) {
  const target = useRef<HTMLDivElement>(null);
  const [live, setLive] = useState<ScreenSession>();
  const [state, setState] = useState<ScreenState>('connecting');
  const [control, setControl] = useState(nobody);
  const { id, ready } = desktop;
  useEffect(() => {
    if (!ready) return undefined;
    const opened = new ScreenSession(id, target.current!, {
      onState: setState,
      onControl: setControl,
    });
    setLive(opened);
    return () => opened.end();
  }, [id, ready]);
  if (!ready) return <p class="empty">{say('screen.notReady')}</p>;
  return (
    <div class="screen">
      <div class="row between screen-bar">
        <ControlBar live={live} control={control} desktopName={desktop.name} />
        <div class="row">
          {control.isYours && live && <TouchKeyboard live={live} />}
          {control.isYours && live && <KeysMenu live={live} />}
          <FullScreenButton />
        </div>
      </div>
      <div class={control.isYours ? 'screen-view yours' : 'screen-view'}>
        <div
          ref={target}
          class="screen-target"
          role="application"
          aria-label={say('desktop.screenOf', { name: desktop.name })}
        />
        {state !== 'live' && <p class="screen-note">{say(`screen.${state}`)}</p>}
      </div>
      {control.isYours && <p class="soft touch-only">{say('screen.touch')}</p>}
    </div>
  );
}

function ControlBar(of: { live: ScreenSession | undefined; control: ControlNews; desktopName: string }) {
  const name = useStore(session)?.user?.name ?? '';
  const { live, control } = of;
  const { holder, isYours } = control;
  const watches = useStore(onlyWatches);
  const isOtherPerson = !isYours && holder?.kind === 'human';
  const who = isYours
    ? say('control.yours')
    : holder === null
      ? say('control.free')
      : say('control.held', { name: holder.name });
  return (
    <div class="row">
      {watches ? null : isYours ? (
        <button type="button" class="button" onClick={() => void live?.handBack().catch(failed)}>
          <Icon name="hand" />
          {say('control.handBack')}
        </button>
      ) : (
        <button
          type="button"
          class="button primary"
          disabled={live === undefined}
          onClick={() => void live?.take(name, isOtherPerson).catch(failed)}
        >
          <Icon name="hand" />
          {isOtherPerson ? say('control.takeOver') : say('control.take')}
        </button>
      )}
      <span class="soft" role="status">
        {who}
      </span>
    </div>
  );
}
