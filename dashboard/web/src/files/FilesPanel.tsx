import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { Icon } from '../ui/Icon.tsx';
import { failed } from '../ui/Toasts.tsx';
import { FileTable } from './FileTable.tsx';
import { type FileEntry, FilesClient } from './filesClient.ts';
import './files.css';
import { NameDialog } from './NameDialog.tsx';
import { joinPath, stepsTo } from './paths.ts';
import { Preview } from './Preview.tsx';
import { UploadList } from './UploadList.tsx';
import { startUpload } from './uploads.ts';

const home = '/home/agent';

export function FilesPanel({ desktop }: { desktop: DesktopData }) {
  const files = useMemo(() => new FilesClient(desktop.id), [desktop.id]);
  const [path, setPath] = useState(home);
  const [entries, setEntries] = useState<readonly FileEntry[]>();
  const [shown, setShown] = useState<FileEntry>();
  const [naming, setNaming] = useState(false);
  const [dropping, setDropping] = useState(false);
  const [showHidden, setShowHidden] = useState(false);
  const reload = useCallback(() => void files.list(path).then(setEntries).catch(failed), [files, path]);
  useEffect(() => {
    if (desktop.ready) reload();
  }, [reload, desktop.ready]);
  const watches = useStore(onlyWatches);
  if (!desktop.ready) return <p class="empty">{say('files.notReady')}</p>;
  const upload = (list: FileList | null | undefined) => {
    if (watches) return;
    for (const file of list ?? [])
      startUpload({ desktopId: desktop.id, path: joinPath(path, file.name), file, onDone: reload });
  };
  const open = (entry: FileEntry) => (entry.type === 'directory' ? setPath(entry.path) : setShown(entry));
  return (
    <div
      class={dropping ? 'files dropping' : 'files'}
      onDragOver={(event) => {
        event.preventDefault();
        setDropping(!watches);
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        upload(event.dataTransfer?.files);
      }}
    >
      <div class="row between page-head">
        <Steps path={path} onChoose={setPath} />
        {!watches && <Toolbar onNewFolder={() => setNaming(true)} onFiles={upload} />}
      </div>
      <UploadList desktopId={desktop.id} onDone={reload} />
      {entries === undefined ? (
        <p class="loading">{say('loading')}</p>
      ) : (
        <FileTable
          entries={entries.filter((entry) => showHidden || !entry.name.startsWith('.'))}
          files={files}
          onOpen={open}
          onChange={reload}
        />
      )}
      <div class="row between drop-hint">
        {!watches && <p class="soft">{say('files.dropHint')}</p>}
        <label class="row soft">
          <input type="checkbox" checked={showHidden} onChange={() => setShowHidden(!showHidden)} />
          {say('files.hidden')}
        </label>
      </div>
      {shown && <Preview entry={shown} files={files} onClose={() => setShown(undefined)} />}
      {naming && (
        <NameDialog
          title={say('files.newFolder')}
          name=""
          onName={(name) => files.makeFolder(joinPath(path, name)).then(reload)}
          onClose={() => setNaming(false)}
        />
      )}
    </div>
  );
}

function Steps({ path, onChoose }: { path: string; onChoose: (path: string) => void }) {
  return (
    <nav class="steps" aria-label={say('files.path')}>
      {stepsTo(path).map((step) => (
        <button key={step.path} type="button" onClick={() => onChoose(step.path)}>
          {step.name}
        </button>
      ))}
    </nav>
  );
}

function Toolbar({ onNewFolder, onFiles }: { onNewFolder: () => void; onFiles: (files: FileList | null) => void }) {
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <div class="row">
      <button type="button" class="button" onClick={onNewFolder}>
        <Icon name="folder" />
        {say('files.newFolder')}
      </button>
      <button type="button" class="button primary" onClick={() => chooser.current?.click()}>
        <Icon name="upload" />
        {say('files.upload')}
      </button>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        aria-label={say('files.upload')}
        onChange={(event) => onFiles(event.currentTarget.files)}
      />
    </div>
  );
}
