import { useStore } from '@nanostores/preact';
import { useState } from 'preact/hooks';
import { say } from '../language.ts';
import { session } from '../session.ts';
import { Icon } from '../ui/Icon.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import { KeyTable } from './KeyTable.tsx';
import { NewKeyDialog } from './NewKeyDialog.tsx';
import { readKeys } from './readKeys.ts';

/** The keys that you made. */
export function KeysPanel() {
  const own = useStore(session)?.user?.id;
  const { value: keys, reload } = useLoaded(readKeys);
  const [creating, setCreating] = useState(false);
  return (
    <>
      <div class="row between page-head">
        <p class="soft">{say('keys.about')}</p>
        <button type="button" class="button primary" onClick={() => setCreating(true)}>
          <Icon name="plus" />
          {say('keys.new')}
        </button>
      </div>
      {keys === undefined ? (
        <p class="loading">{say('loading')}</p>
      ) : (
        <KeyTable keys={keys.filter((key) => key.createdBy === own)} onChange={reload} />
      )}
      {creating && (
        <NewKeyDialog
          onClose={() => {
            setCreating(false);
            reload();
          }}
        />
      )}
    </>
  );
}
