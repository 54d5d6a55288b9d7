import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { client, dataOf } from '../client.ts';
import { keepDesktop } from '../desktops/desktopStore.ts';
import { readLabels } from '../desktops/readLabels.ts';
import { say, sayTime } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { CopyButton } from '../ui/CopyButton.tsx';
import { done, failed } from '../ui/Toasts.tsx';

export function DesktopSettingsPanel({ desktop }: { desktop: DesktopData }) {
  const { id, hardware } = desktop;
  const watches = useStore(onlyWatches);
  return (
    <>
      {!watches && <NameForm desktop={desktop} />}
      <section class="panel">
        <h2>{say('desktop.facts')}</h2>
        <dl class="facts">
          <dt>{say('desktop.id')}</dt>
          <dd class="row">
            <code>{id}</code>
            <CopyButton text={id} what={say('desktop.id')} />
          </dd>
          <dt>{say('desktop.hardware')}</dt>
          <dd>
            {say('hardware.all', {
              vcpus: hardware.vcpus,
              memory: hardware.memoryMiB / 1024,
              disk: hardware.diskGiB,
            })}
          </dd>
          <dt>{say('desktop.template')}</dt>
          <dd>{desktop.template.name}</dd>
          <dt>{say('desktop.node')}</dt>
          <dd>
            <code>{desktop.nodeId ?? '–'}</code>
          </dd>
          <dt>{say('desktop.address')}</dt>
          <dd>
            <code>{desktop.ipAddress ?? '–'}</code>
          </dd>
          <dt>{say('desktop.created')}</dt>
          <dd>{sayTime(desktop.createdAt)}</dd>
        </dl>
      </section>
    </>
  );
}

function NameForm({ desktop }: { desktop: DesktopData }) {
  const { id, name, labels } = desktop;
  const submit = async (form: FormData) => {
    const body = { name: String(form.get('name')).trim(), labels: readLabels(String(form.get('labels') ?? '')) };
    keepDesktop(await dataOf(client.PATCH('/v1/desktops/{desktopId}', { params: { path: { desktopId: id } }, body })));
    done(say('desktop.saved'));
  };
  return (
    <form
      class="panel"
      onSubmit={(event) => {
        event.preventDefault();
        void submit(new FormData(event.currentTarget)).catch(failed);
      }}
    >
      <label class="field">
        <span>{say('name')}</span>
        <input type="text" name="name" required maxLength={100} defaultValue={name} />
      </label>
      <label class="field">
        <span>{say('labels')}</span>
        <input
          type="text"
          name="labels"
          defaultValue={Object.entries(labels)
            .map(([label, value]) => `${label}: ${value}`)
            .join(', ')}
        />
      </label>
      <div>
        <button type="submit" class="button primary">
          {say('desktop.save')}
        </button>
      </div>
    </form>
  );
}
