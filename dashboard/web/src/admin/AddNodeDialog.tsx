import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say } from '../language.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { Snippet } from '../ui/Snippet.tsx';
import { failed } from '../ui/Toasts.tsx';

/** A token by which one machine may join, once, and what to run there. */
export function AddNodeDialog({ onClose }: { onClose: () => void }) {
  const [command, setCommand] = useState<string>();
  const submit = async (form: FormData) => {
    const nodeName = String(form.get('name') ?? '').trim();
    const body = nodeName === '' ? {} : { nodeName };
    const made = await dataOf(client.POST('/v1/nodes/join-tokens', { body }));
    setCommand(`${nodeName === '' ? '' : `LEBUREAU_NODE_NAME=${nodeName} `}${made.command ?? ''}`);
  };
  return (
    <Dialog title={say('nodes.add')} onClose={onClose}>
      {command === undefined ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit(new FormData(event.currentTarget)).catch(failed);
          }}
        >
          <label class="field">
            <span>{say('name')}</span>
            <input type="text" name="name" pattern="[a-z0-9][a-z0-9-]*" placeholder="node-2" autoFocus />
          </label>
          <footer class="row end">
            <button type="submit" class="button primary">
              {say('nodes.makeToken')}
            </button>
          </footer>
        </form>
      ) : (
        <>
          <p>{say('nodes.run')}</p>
          <Snippet code={command} what={say('nodes.command')} />
        </>
      )}
    </Dialog>
  );
}
