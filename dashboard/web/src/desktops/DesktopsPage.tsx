import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { Icon } from '../ui/Icon.tsx';
import { failed } from '../ui/Toasts.tsx';
import { usePageTitle } from '../ui/usePageTitle.ts';
import { DesktopCard } from './DesktopCard.tsx';
import { desktops, desktopsLoaded, loadDesktops } from './desktopStore.ts';
import './desktops.css';
import { NewDesktopDialog } from './NewDesktopDialog.tsx';

export function DesktopsPage() {
  usePageTitle(say('nav.desktops'));
  const all = useStore(desktops);
  const isLoaded = useStore(desktopsLoaded);
  const mayCreate = !useStore(onlyWatches);
  const [wanted, setWanted] = useState('');
  const [creating, setCreating] = useState(false);
  useEffect(() => void loadDesktops().catch(failed), []);
  const shown = useMemo(() => filtered(Object.values(all), wanted), [all, wanted]);
  const isEmpty = isLoaded && Object.keys(all).length === 0;
  return (
    <>
      <div class="row between page-head">
        <h1>{say('nav.desktops')}</h1>
        <div class="row">
          {!isEmpty && (
            <label class="search">
              <Icon name="search" />
              <span class="visually-hidden">{say('search')}</span>
              <input
                type="search"
                placeholder={say('search.hint')}
                value={wanted}
                onInput={(event) => setWanted(event.currentTarget.value)}
              />
            </label>
          )}
          {mayCreate && (
            <button type="button" class="button primary" onClick={() => setCreating(true)}>
              <Icon name="plus" />
              {say('new.title')}
            </button>
          )}
        </div>
      </div>
      {!isLoaded && <p class="loading">{say('loading')}</p>}
      {isEmpty && <Welcome />}
      {isLoaded && !isEmpty && shown.length === 0 && <p class="empty">{say('search.none')}</p>}
      <div class="grid">
        {shown.map((desktop) => (
          <DesktopCard key={desktop.id} desktop={desktop} />
        ))}
      </div>
      {creating && <NewDesktopDialog onClose={() => setCreating(false)} />}
    </>
  );
}

function Welcome() {
  return (
    <section class="empty">
      <img src="/icon.svg" width="64" height="64" alt="" />
      <h2>{say('empty.title')}</h2>
      <p class="soft">{say('empty.text')}</p>
    </section>
  );
}

/** By name, id, status or label; newest first. */
function filtered(all: readonly DesktopData[], wanted: string): DesktopData[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const textOf = ({ name, id, status, labels }: DesktopData) =>
    [name, id, status, ...Object.entries(labels).map(([label, value]) => `${label}:${value}`)].join(' ').toLowerCase();
  return all
    .filter((desktop) => words.every((word) => textOf(desktop).includes(word)))
    .toSorted((a, b) => b.id.localeCompare(a.id));
}
