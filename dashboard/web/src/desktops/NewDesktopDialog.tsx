import type { DesktopCreate, Template } from '@lebureau/sdk/types';
import { useEffect, useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say } from '../language.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { failed } from '../ui/Toasts.tsx';
import { keepDesktop } from './desktopStore.ts';
import { readLabels } from './readLabels.ts';
import { sizes } from './sizes.ts';

export function NewDesktopDialog({ onClose }: { onClose: () => void }) {
  const templates = useTemplates();
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement) => {
    setBusy(true);
    try {
      keepDesktop(await dataOf(client.POST('/v1/desktops', { body: wishOf(new FormData(form)) })));
      onClose();
    } catch (error) {
      failed(error);
      setBusy(false);
    }
  };
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault();
    void submit(event.currentTarget as HTMLFormElement);
  };
  return (
    <Dialog title={say('new.title')} onClose={onClose}>
      <form onSubmit={onSubmit}>
        <label class="field">
          <span>{say('new.name')}</span>
          <input type="text" name="name" maxLength={100} placeholder={say('new.namePlaceholder')} autoFocus />
        </label>
        <fieldset class="field sizes">
          <legend>{say('new.size')}</legend>
          {sizes.map(({ name, vcpus, memoryMiB, diskGiB }) => (
            <label key={name} class="size">
              <input type="radio" name="size" value={name} defaultChecked={name === 'nano'} />
              <span>
                <b>{name}</b>
                <small>{say('hardware.all', { vcpus, memory: memoryMiB / 1024, disk: diskGiB })}</small>
              </span>
            </label>
          ))}
        </fieldset>
        {templates.length > 1 && (
          <label class="field">
            <span>{say('new.template')}</span>
            <select name="template">
              {templates.map((template) => (
                <option key={template.id} value={template.id}>
                  {template.name}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="field">
          <span>{say('labels')}</span>
          <input type="text" name="labels" placeholder="team: lab, stage: test" />
          <small>{say('new.labelsHint')}</small>
        </label>
        <label class="row">
          <input type="checkbox" name="offline" />
          <span>{say('new.offline')}</span>
        </label>
        <footer class="row end">
          <button type="button" class="button" onClick={onClose}>
            {say('cancel')}
          </button>
          <button type="submit" class="button primary" disabled={busy}>
            {say('new.create')}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function useTemplates(): readonly Template[] {
  const [templates, setTemplates] = useState<readonly Template[]>([]);
  useEffect(() => {
    dataOf(client.GET('/v1/templates'))
      .then(({ data }) => setTemplates(data))
      .catch(failed);
  }, []);
  return templates;
}

function wishOf(form: FormData): DesktopCreate {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  return {
    size: text('size') as DesktopCreate['size'],
    labels: readLabels(text('labels')),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...(text('name') === '' ? {} : { name: text('name') }),
    ...(text('template') === '' ? {} : { template: text('template') }),
    ...(form.get('offline') === null ? {} : { network: 'none' as const }),
  };
}
