import type { KeyCreate, KeyCreated, Me } from '@lebureau/sdk/types';
import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say, type MessageName } from '../language.ts';
import { readLabels } from '../desktops/readLabels.ts';
import { CopyButton } from '../ui/CopyButton.tsx';
import { Dialog } from '../ui/Dialog.tsx';
import { failed } from '../ui/Toasts.tsx';
import { useLoaded } from '../ui/useLoaded.ts';

const readMe = () => dataOf(client.GET('/v1/me')) as Promise<Me>;
/** What most agents need, ticked when the dialog opens. */
const usual = ['desktop:read', 'desktop:lifecycle', 'desktop:control', 'desktop:create', 'files:read', 'files:write'];

export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const { value: me } = useLoaded(readMe);
  const [made, setMade] = useState<KeyCreated>();
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement) => {
    setBusy(true);
    try {
      setMade(await dataOf(client.POST('/v1/keys', { body: wishOf(new FormData(form)) })));
    } catch (error) {
      failed(error);
    }
    setBusy(false);
  };
  if (made !== undefined) return <Shown made={made} onClose={onClose} />;
  return (
    <Dialog title={say('keys.new')} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit(event.currentTarget);
        }}
      >
        <label class="field">
          <span>{say('name')}</span>
          <input type="text" name="name" required maxLength={100} placeholder={say('keys.namePlaceholder')} autoFocus />
        </label>
        <fieldset class="field sizes checks">
          <legend>{say('keys.capabilities')}</legend>
          {me?.capabilities.map((name) => (
            <label key={name}>
              <input type="checkbox" name="capability" value={name} defaultChecked={usual.includes(name)} />
              <span>
                <code>{name}</code>
                <small>{say(`capability.${name}` as MessageName)}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <label class="field">
          <span>{say('keys.onlyLabels')}</span>
          <input type="text" name="labels" placeholder="team: lab" />
          <small>{say('keys.onlyLabelsHint')}</small>
        </label>
        <label class="field">
          <span>{say('keys.expires')}</span>
          <select name="days">
            <option value="">{say('never')}</option>
            {[7, 30, 90, 365].map((days) => (
              <option key={days} value={days}>
                {say('inDays', { days })}
              </option>
            ))}
          </select>
        </label>
        <footer class="row end">
          <button type="button" class="button" onClick={onClose}>
            {say('cancel')}
          </button>
          <button type="submit" class="button primary" disabled={busy || me === undefined}>
            {say('new.create')}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

/** The only time that the key can be seen. */
function Shown({ made, onClose }: { made: KeyCreated; onClose: () => void }) {
  return (
    <Dialog title={say('keys.made', { name: made.key.name })} onClose={onClose}>
      <p>{say('keys.once')}</p>
      <div class="secret">
        <code>{made.secret}</code>
        <CopyButton text={made.secret ?? ''} what={say('keys.key')} />
      </div>
      <footer class="row end">
        <button type="button" class="button primary" onClick={onClose}>
          {say('keys.kept')}
        </button>
      </footer>
    </Dialog>
  );
}

function wishOf(form: FormData): KeyCreate {
  const labels = readLabels(String(form.get('labels') ?? ''));
  const days = Number(form.get('days') ?? 0);
  return {
    name: String(form.get('name')),
    capabilities: form.getAll('capability') as KeyCreate['capabilities'],
    ...(Object.keys(labels).length > 0 ? { restriction: { labels } } : {}),
    ...(days > 0 ? { expiresAt: new Date(Date.now() + days * 86_400_000).toISOString() } : {}),
  };
}
