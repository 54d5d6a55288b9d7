import type { DesktopData } from '@lebureau/sdk/types';
import { useEffect, useRef, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { type TerminalState, TerminalSession } from '../streams/terminalSession.ts';
import { Icon } from '../ui/Icon.tsx';
import { refused } from '../ui/Toasts.tsx';
import './terminal.css';

const terminalsMax = 8;

/** Terminals of a desktop; each goes on under its name, whoever looks at it. */
export function TerminalPanel({ desktop }: { desktop: DesktopData }) {
  const [names, setNames] = useState<readonly string[]>(['main']);
  const [current, setCurrent] = useState('main');
  if (!desktop.ready) return <p class="empty">{say('terminal.notReady')}</p>;
  const add = () => {
    const name = `term-${names.length + 1}`;
    setNames([...names, name]);
    setCurrent(name);
  };
  return (
    <>
      <div class="row terminal-tabs">
        {names.map((name) => (
          <button
            key={name}
            type="button"
            class={name === current ? 'button primary' : 'button'}
            aria-pressed={name === current}
            onClick={() => setCurrent(name)}
          >
            {name}
          </button>
        ))}
        {names.length < terminalsMax && (
          <button type="button" class="icon-button" onClick={add}>
            <Icon name="plus" />
            <span class="visually-hidden">{say('terminal.add')}</span>
          </button>
        )}
      </div>
      {names.map((name) => (
        <OneTerminal key={name} desktopId={desktop.id} name={name} isShown={name === current} />
      ))}
    </>
  );
}

function OneTerminal({ desktopId, name, isShown }: { desktopId: string; name: string; isShown: boolean }) {
  const target = useRef<HTMLDivElement>(null);
  const opened = useRef<TerminalSession | undefined>(undefined);
  const [state, setState] = useState<TerminalState>('connecting');
  useEffect(() => {
    const session = new TerminalSession({
      desktopId,
      name,
      target: target.current!,
      onState: setState,
      onTooLong: () => refused(say('terminal.tooLong')),
    });
    opened.current = session;
    return () => session.end();
  }, [desktopId, name]);
  useEffect(() => {
    if (isShown) opened.current?.focus();
  }, [isShown]);
  return (
    <div class="terminal-box" hidden={!isShown}>
      <div ref={target} class="terminal-target" />
      {state !== 'live' && (
        <p class="terminal-note" role="status">
          {say(`terminal.${state}`)}
        </p>
      )}
    </div>
  );
}
