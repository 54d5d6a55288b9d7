import { useStore } from '@nanostores/preact';
import { useEffect } from 'preact/hooks';
import { DesktopMenu } from '../desktops/DesktopCard.tsx';
import { desktops, refreshDesktop } from '../desktops/desktopStore.ts';
import { StatusBadge } from '../desktops/StatusBadge.tsx';
import { Thumbnail } from '../desktops/Thumbnail.tsx';
import { say } from '../language.ts';
import { CopyButton } from '../ui/CopyButton.tsx';
import { NotFound } from '../ui/NotFound.tsx';
import { failed } from '../ui/Toasts.tsx';

export function DesktopPage({ desktopId }: { desktopId: string }) {
  const desktop = useStore(desktops)[desktopId];
  useEffect(() => void refreshDesktop(desktopId).catch(failed), [desktopId]);
  if (desktop === undefined) return <NotFound />;
  return (
    <>
      <div class="row between page-head">
        <h1>{desktop.name}</h1>
        <div class="row">
          <code class="soft">{desktop.id}</code>
          <CopyButton text={desktop.id} what={say('desktop.id')} />
          <StatusBadge desktop={desktop} />
          <DesktopMenu desktop={desktop} />
        </div>
      </div>
      <Thumbnail desktop={desktop} />
    </>
  );
}
