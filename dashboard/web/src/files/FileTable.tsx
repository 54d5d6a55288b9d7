import { useStore } from '@nanostores/preact';
import { useState } from 'preact/hooks';
import { say, sayTime } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';
import { Icon } from '../ui/Icon.tsx';
import { Menu, MenuItem } from '../ui/Menu.tsx';
import { done, failed } from '../ui/Toasts.tsx';
import type { FileEntry, FilesClient } from './filesClient.ts';
import { NameDialog } from './NameDialog.tsx';
import { joinPath, parentOf, saySize } from './paths.ts';
import { hasTrash, moveToTrash } from './trash.ts';

interface Of {
  entries: readonly FileEntry[];
  files: FilesClient;
  onOpen: (entry: FileEntry) => void;
  onChange: () => void;
}

export function FileTable({ entries, files, onOpen, onChange }: Of) {
  if (entries.length === 0) return <p class="empty">{say('files.empty')}</p>;
  return (
    <div class="table-box" tabIndex={0}>
      <table class="file-table">
        <thead>
          <tr>
            <th scope="col">{say('name')}</th>
            <th scope="col">{say('files.size')}</th>
            <th scope="col">{say('files.changed')}</th>
            <th scope="col">
              <span class="visually-hidden">{say('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.path}>
              <td>
                <button type="button" class="file-name" onClick={() => onOpen(entry)}>
                  <Icon name={entry.type === 'directory' ? 'folder' : 'file'} />
                  {entry.name}
                  {entry.linkTarget !== null && <span class="soft">→ {entry.linkTarget}</span>}
                </button>
              </td>
              <td>{entry.type === 'file' ? saySize(entry.sizeBytes) : ''}</td>
              <td>{sayTime(entry.modifiedAt)}</td>
              <td class="end">
                <FileMenu entry={entry} files={files} onChange={onChange} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function FileMenu({ entry, files, onChange }: { entry: FileEntry; files: FilesClient; onChange: () => void }) {
  const watches = useStore(onlyWatches);
  const [naming, setNaming] = useState(false);
  const [asking, setAsking] = useState(false);
  const remove = async () => {
    const undo = await moveToTrash(files, entry.path);
    onChange();
    done(say('files.deleted', { name: entry.name }), { name: say('undo'), act: () => undo().then(onChange) });
  };
  return (
    <>
      <Menu label={say('desktop.actionsOf', { name: entry.name })} icon="more">
        {entry.type === 'file' && (
          <MenuItem onChoose={() => save(files.contentUrl(entry.path), entry.name)}>
            <Icon name="download" />
            {say('files.download')}
          </MenuItem>
        )}
        {!watches && <MenuItem onChoose={() => setNaming(true)}>{say('files.rename')}</MenuItem>}
        {!watches && (
          <MenuItem danger onChoose={() => (hasTrash(entry.path) ? void remove().catch(failed) : setAsking(true))}>
            <Icon name="trash" />
            {say('action.delete')}
          </MenuItem>
        )}
      </Menu>
      {naming && (
        <NameDialog
          title={say('files.rename')}
          name={entry.name}
          onName={(name) => files.move(entry.path, joinPath(parentOf(entry.path), name)).then(onChange)}
          onClose={() => setNaming(false)}
        />
      )}
      {asking && (
        <ConfirmDialog
          title={say('delete.title', { name: entry.name })}
          text={say('files.deleteForGood')}
          verb={say('action.delete')}
          onConfirm={() => files.remove(entry.path).then(onChange)}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

/** The browser's own download, which shows how far it is. */
function save(url: string, name: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}
