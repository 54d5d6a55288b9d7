import { useState } from 'preact/hooks';
import { say } from '../language.ts';
import { Dialog } from './Dialog.tsx';
import { failed } from './Toasts.tsx';

/** Asks before what cannot be undone. */
export function ConfirmDialog(of: {
  title: string;
  text: string;
  /** On the button that does it. */
  verb: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const confirm = async () => {
    setBusy(true);
    try {
      await of.onConfirm();
      of.onClose();
    } catch (error) {
      failed(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={of.title} onClose={of.onClose}>
      <p>{of.text}</p>
      <footer class="row end">
        <button type="button" class="button" onClick={of.onClose}>
          {say('cancel')}
        </button>
        <button type="button" class="button danger" disabled={busy} onClick={() => void confirm()}>
          {of.verb}
        </button>
      </footer>
    </Dialog>
  );
}
