import { useStore } from '@nanostores/preact';
import { useEffect, useRef } from 'preact/hooks';
import { say } from '../language.ts';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { refused } from '../ui/Toasts.tsx';
import { saySize } from './paths.ts';
import { cancelUpload, findInterrupted, goOnWith, pauseUpload, resumeUpload, type Upload, uploads } from './uploads.ts';

export function UploadList({ desktopId, onDone }: { desktopId: string; onDone: () => void }) {
  useEffect(() => void findInterrupted(desktopId), [desktopId]);
  const all = Object.values(useStore(uploads)).filter((upload) => upload.desktopId === desktopId);
  if (all.length === 0) return null;
  return (
    <ul class="uploads" aria-label={say('files.uploads')}>
      {all.map((upload) => (
        <UploadRow key={upload.id} upload={upload} onDone={onDone} />
      ))}
    </ul>
  );
}

function UploadRow({ upload, onDone }: { upload: Upload; onDone: () => void }) {
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
        {state === 'interrupted' && <ChooseAgain upload={upload} onDone={onDone} />}
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
    case 'interrupted':
      return say('files.uploadInterrupted');
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

function ChooseAgain({ upload, onDone }: { upload: Upload; onDone: () => void }) {
  const chooser = useRef<HTMLInputElement>(null);
  const { id, name } = upload;
  const text = say('files.uploadChoose');
  const choose = (file: File | undefined) => {
    if (file && !goOnWith(id, file, onDone)) refused(say('files.uploadOther', { name }));
    // Else the same one could not be chosen twice.
    chooser.current!.value = '';
  };
  return (
    <>
      <button type="button" class="button" onClick={() => chooser.current?.click()}>
        <Icon name="file" />
        {text}
      </button>
      <input
        ref={chooser}
        type="file"
        hidden
        aria-label={`${text}: ${name}`}
        onChange={(event) => choose(event.currentTarget.files?.[0])}
      />
    </>
  );
}

function Act({ icon, text, onClick }: { icon: IconName; text: string; onClick: () => void }) {
  return (
    <button type="button" class="icon-button" title={text} onClick={onClick}>
      <Icon name={icon} />
      <span class="visually-hidden">{text}</span>
    </button>
  );
}
