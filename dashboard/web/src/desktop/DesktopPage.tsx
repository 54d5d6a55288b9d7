import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { DesktopMenu } from '../desktops/DesktopCard.tsx';
import { desktops, refreshDesktop } from '../desktops/desktopStore.ts';
import { Progress } from '../desktops/Progress.tsx';
import { StatusBadge } from '../desktops/StatusBadge.tsx';
import { say, type MessageName } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { lazyPart } from '../ui/lazyPart.tsx';
import { NotFound } from '../ui/NotFound.tsx';
import { Tabs } from '../ui/Tabs.tsx';
import { failed } from '../ui/Toasts.tsx';
import { usePageTitle } from '../ui/usePageTitle.ts';
import { ActivityPanel } from './ActivityPanel.tsx';
import { DesktopSettingsPanel } from './DesktopSettingsPanel.tsx';

type Panel = ComponentType<{ desktop: DesktopData }>;

/** Those with `changes` are of no use to who only watches. */
const allTabs: readonly { id: string; name: MessageName; panel: Panel; changes?: true }[] = [
  {
    id: 'screen',
    name: 'desktop.tab.screen',
    panel: lazyPart(() => import('./ScreenPanel.tsx').then((it) => it.ScreenPanel)),
  },
  {
    id: 'terminal',
    name: 'desktop.tab.terminal',
    changes: true,
    panel: lazyPart(() => import('./TerminalPanel.tsx').then((it) => it.TerminalPanel)),
  },
  {
    id: 'files',
    name: 'desktop.tab.files',
    panel: lazyPart(() => import('../files/FilesPanel.tsx').then((it) => it.FilesPanel)),
  },
  {
    id: 'metrics',
    name: 'desktop.tab.metrics',
    panel: lazyPart(() => import('../metrics/MetricsPanel.tsx').then((it) => it.MetricsPanel)),
  },
  {
    id: 'ports',
    name: 'desktop.tab.ports',
    changes: true,
    panel: lazyPart(() => import('./PortsPanel.tsx').then((it) => it.PortsPanel)),
  },
  { id: 'activity', name: 'desktop.tab.activity', panel: ActivityPanel },
  { id: 'settings', name: 'desktop.tab.settings', panel: DesktopSettingsPanel },
];

export function DesktopPage({ desktopId, tab = 'screen' }: { desktopId: string; tab?: string }) {
  const desktop = useStore(desktops)[desktopId];
  usePageTitle(desktop?.name ?? say('nav.desktops'));
  useEffect(() => void refreshDesktop(desktopId).catch(failed), [desktopId]);
  const watches = useStore(onlyWatches);
  const tabs = allTabs.filter(({ changes }) => !(watches && changes));
  const found = tabs.find(({ id }) => id === tab);
  if (desktop === undefined || found === undefined) return <NotFound />;
  const Panel = found.panel;
  return (
    <>
      <div class="row between page-head">
        <div class="row">
          <h1>{desktop.name}</h1>
          <StatusBadge desktop={desktop} />
        </div>
        {!watches && <DesktopMenu desktop={desktop} />}
      </div>
      {desktop.error && <p class="alert">{desktop.error.message}</p>}
      <Progress desktop={desktop} />
      <Tabs base={`/app/desktops/${desktopId}`} tabs={tabs} current={tab} />
      <Panel key={desktopId} desktop={desktop} />
    </>
  );
}
