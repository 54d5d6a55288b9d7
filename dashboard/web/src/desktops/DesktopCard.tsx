import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useState } from 'preact/hooks';
import { say } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { Menu, MenuItem } from '../ui/Menu.tsx';
import { failed } from '../ui/Toasts.tsx';
import { act, type Action } from './desktopActions.ts';
import { Progress } from './Progress.tsx';
import { StatusBadge } from './StatusBadge.tsx';
import { Thumbnail } from './Thumbnail.tsx';

const icons: Record<Action, IconName> = { start: 'play', stop: 'stop', restart: 'restart', delete: 'trash' };

export function DesktopCard({ desktop }: { desktop: DesktopData }) {
  const { id, name, hardware, labels, error } = desktop;
  const watches = useStore(onlyWatches);
  return (
    <article class="card">
      <a class="card-link" href={`/app/desktops/${id}`} aria-label={name}>
        <Thumbnail desktop={desktop} />
      </a>
      <div class="card-body">
        <div class="row between">
          <h2>
            <a href={`/app/desktops/${id}`}>{name}</a>
          </h2>
          {!watches && <DesktopMenu desktop={desktop} />}
        </div>
        <div class="row">
          <StatusBadge desktop={desktop} />
          <span class="soft">
            {say('hardware', {
              vcpus: hardware.vcpus,
              memory: (hardware.memoryMiB / 1024).toFixed(1).replace('.0', ''),
            })}
          </span>
        </div>
        <Progress desktop={desktop} />
        {error && <p class="alert">{error.message}</p>}
        {Object.keys(labels).length > 0 && (
          <ul class="labels" aria-label={say('labels')}>
            {Object.entries(labels).map(([label, value]) => (
              <li key={label}>{value === '' ? label : `${label}: ${value}`}</li>
            ))}
          </ul>
        )}
      </div>
    </article>
  );
}

/** What may be done now; the API says what that is. */
export function DesktopMenu({ desktop }: { desktop: DesktopData }) {
  const [asking, setAsking] = useState(false);
  const actions = (['start', 'restart', 'stop', 'delete'] as const).filter((action) =>
    (desktop.allowedActions as string[]).includes(action),
  );
  const choose = (action: Action) => {
    if (action === 'delete') setAsking(true);
    else void act(desktop, action).catch(failed);
  };
  return (
    <>
      <Menu label={say('desktop.actionsOf', { name: desktop.name })} icon="more">
        {actions.map((action) => (
          <MenuItem key={action} danger={action === 'delete'} onChoose={() => choose(action)}>
            <Icon name={icons[action]} />
            {say(`action.${action}`)}
          </MenuItem>
        ))}
        {actions.length === 0 && <p class="menu-note">{say('desktop.noAction')}</p>}
      </Menu>
      {asking && (
        <ConfirmDialog
          title={say('delete.title', { name: desktop.name })}
          text={say('delete.text')}
          verb={say('action.delete')}
          onConfirm={() => act(desktop, 'delete')}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
