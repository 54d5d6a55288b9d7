import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useState } from 'preact/hooks';
import { say } from '../language.ts';
import { place } from '../router.ts';
import { session } from '../session.ts';
import { openPort } from '../streams/openPort.ts';
import { Snippet } from '../ui/Snippet.tsx';
import { failed } from '../ui/Toasts.tsx';

/** Web servers in the desktop, each shown on an origin of its own; without one the SDK leads there. */
export function PortsPanel({ desktop }: { desktop: DesktopData }) {
  const previewHost = useStore(session)?.previewHost ?? null;
  const [port, setPort] = useState(new URLSearchParams(useStore(place).split('?')[1]).get('port') ?? '8080');
  if (!desktop.ready) return <p class="empty">{say('ports.notReady')}</p>;
  if (previewHost === null)
    return (
      <section class="panel">
        <h2>{say('ports.off')}</h2>
        <p>{say('ports.offWhy')}</p>
        <Snippet code="const web = await desktop.streams.port(8080);" what={say('ports.code')} />
      </section>
    );
  return (
    <form
      class="panel"
      onSubmit={(event) => {
        event.preventDefault();
        void openPort(desktop.id, Number(port), previewHost).catch(failed);
      }}
    >
      <p>{say('ports.about')}</p>
      <label class="field">
        <span>{say('ports.port')}</span>
        <input
          type="number"
          name="port"
          required
          min={1}
          max={65535}
          value={port}
          onInput={(event) => setPort(event.currentTarget.value)}
        />
      </label>
      <div>
        <button type="submit" class="button primary">
          {say('ports.open')}
        </button>
      </div>
    </form>
  );
}
