import { say } from '../language.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { failed } from '../ui/Toasts.tsx';

/** Asks for the name of a file or folder. */
export function NameDialog(of: {
  title: string;
  name: string;
  onName: (name: string) => Promise<unknown>;
  onClose: () => void;
}) {
  const submit = async (form: FormData) => {
    await of.onName(String(form.get('name')));
    of.onClose();
  };
  return (
    <Dialog title={of.title} onClose={of.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit(new FormData(event.currentTarget)).catch(failed);
        }}
      >
        <label class="field">
          <span>{say('name')}</span>
          <input type="text" name="name" required maxLength={255} pattern="[^\/]+" defaultValue={of.name} autoFocus />
        </label>
        <footer class="row end">
          <button type="button" class="button" onClick={of.onClose}>
            {say('cancel')}
          </button>
          <button type="submit" class="button primary">
            {say('ok')}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
