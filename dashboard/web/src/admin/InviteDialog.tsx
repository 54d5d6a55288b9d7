import { useStore } from '@nanostores/preact';
import { useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say } from '../language.ts';
import { session, type Role } from '../session.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { Snippet } from '../ui/Snippet.tsx';
import { failed } from '../ui/Toasts.tsx';
import { rolesToGive } from './rolesToGive.ts';

/** A link that signs one person in, once. Whoever invites passes it on. */
export function InviteDialog({ onClose }: { onClose: () => void }) {
  const [link, setLink] = useState<string>();
  const own = useStore(session);
  const submit = async (form: FormData) => {
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const body = {
      role: text('role') as Role,
      ...(text('name') === '' ? {} : { name: text('name') }),
      ...(text('email') === '' ? {} : { email: text('email') }),
    };
    const made = await dataOf(client.POST('/v1/sign-in-links', { body }));
    setLink(`${own?.publicUrl ?? location.origin}/sign-in/link#${made.token ?? ''}`);
  };
  return (
    <Dialog title={say('users.invite')} onClose={onClose}>
      {link === undefined ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void submit(new FormData(event.currentTarget)).catch(failed);
          }}
        >
          <label class="field">
            <span>{say('name')}</span>
            <input type="text" name="name" maxLength={100} autoFocus />
          </label>
          <label class="field">
            <span>{say('users.email')}</span>
            <input type="email" name="email" maxLength={254} />
            <small>{say('users.emailHint')}</small>
          </label>
          <label class="field">
            <span>{say('users.role')}</span>
            <select name="role">
              {rolesToGive(own?.user?.role).map((role) => (
                <option key={role} value={role} selected={role === 'member'}>
                  {say(`role.${role}`)}
                </option>
              ))}
            </select>
          </label>
          <footer class="row end">
            <button type="submit" class="button primary">
              {say('users.makeLink')}
            </button>
          </footer>
        </form>
      ) : (
        <>
          <p>{say('users.passOn')}</p>
          <Snippet code={link} what={say('users.link')} />
        </>
      )}
    </Dialog>
  );
}
