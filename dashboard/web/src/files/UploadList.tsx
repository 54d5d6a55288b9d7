import { useStore } from '@nanostores/preact';
import { say } from '../language.ts';
import { Icon } from '../ui/Icon.tsx';
import { cancelUpload, uploads } from './uploads.ts';

export function UploadList({ desktopId }: { desktopId: string }) {
  const all = Object.values(useStore(uploads)).filter((upload) => upload.desktopId === desktopId);
  if (all.length === 0) return null;
  return (
    <ul class="uploads" aria-label={say('files.uploads')}>
      {all.map(({ id, name, share, state, problem }) => (
        <li key={id} class={state}>
          <span>{name}</span>
          {state === 'running' || state === 'waiting' ? (
            <progress value={share} max={1} aria-label={name} />
          ) : (
            <span class="soft">{problem ?? say('files.uploaded')}</span>
          )}
          <button type="button" class="icon-button" onClick={() => cancelUpload(id)}>
            <Icon name="close" />
            <span class="visually-hidden">{state === 'done' ? say('close') : say('cancel')}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
