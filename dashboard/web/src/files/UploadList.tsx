import { useStore } from '@nanostores/preact';
import { say } from '../language.ts';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { saySize } from './paths.ts';
import { cancelUpload, pauseUpload, resumeUpload, type Upload, uploads } from './uploads.ts';

export function UploadList({ desktopId }: { desktopId: string }) {
  const all = Object.values(useStore(uploads)).filter((upload) => upload.desktopId === desktopId);
  if (all.length === 0) return null;
  return (
    <ul class="uploads" aria-label={say('files.uploads')}>
      {all.map((upload) => (
        <UploadRow key={upload.id} upload={upload} />
      ))}
    </ul>
  );
}

function UploadRow({ upload }: { upload: Upload }) {
  const { id, name, sentBytes, sizeBytes, state } = upload;
  const isGoing = state === 'waiting' || state === 'running' || state === 'cut';
  const size = saySize(sizeBytes);
  return (
    <li class={state}>
      <div>
        <div class="row between">
          <span class="name">{name}</span>
          {state !== 'done' && state !== 'failed' && (
            <span class="soft">{say('files.uploadShare', { sent: saySize(sentBytes), size })}</span>
          )}
        </div>
        {state !== 'done' && state !== 'failed' && (
          <progress value={sentBytes} max={Math.max(1, sizeBytes)} aria-label={name} />
        )}
        <span class="soft" role="status">
          {sayState(upload)}
        </span>
      </div>
      <div class="row">
        {isGoing && <Act icon="pause" text={say('files.pause')} onClick={() => pauseUpload(id)} />}
        {(state === 'paused' || state === 'failed') && (
          <Act icon="play" text={say('files.resume')} onClick={() => resumeUpload(id)} />
        )}
        <Act icon="close" text={say(state === 'done' ? 'close' : 'cancel')} onClick={() => cancelUpload(id)} />
      </div>
    </li>
  );
}

function sayState({ state, problem }: Upload): string {
  switch (state) {
    case 'waiting':
      return say('files.uploadWaiting');
    case 'cut':
      return say('files.uploadCut');
    case 'paused':
      return say('files.uploadPaused');
    case 'done':
      return say('files.uploaded');
    case 'failed':
      return problem ?? '';
    case 'running':
      return '';
  }
}

function Act({ icon, text, onClick }: { icon: IconName; text: string; onClick: () => void }) {
  return (
    <button type="button" class="icon-button" title={text} onClick={onClick}>
      <Icon name={icon} />
      <span class="visually-hidden">{text}</span>
    </button>
  );
}
