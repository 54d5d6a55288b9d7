import { useStore } from '@nanostores/preact';
import { say, type MessageName } from '../language.ts';
import { onlyWatches } from '../session.ts';
import { NotFound } from '../ui/NotFound.tsx';
import { Tabs } from '../ui/Tabs.tsx';
import { usePageTitle } from '../ui/usePageTitle.ts';
import { GrantsPanel } from './GrantsPanel.tsx';
import { KeysPanel } from './KeysPanel.tsx';
import { LookPanel } from './LookPanel.tsx';
import { McpPanel } from './McpPanel.tsx';
import { SessionsPanel } from './SessionsPanel.tsx';

const allTabs = [
  { id: 'keys', name: 'settings.keys', panel: KeysPanel },
  { id: 'mcp', name: 'settings.mcp', panel: McpPanel },
  { id: 'grants', name: 'settings.grants', panel: GrantsPanel },
  { id: 'sessions', name: 'settings.sessions', panel: SessionsPanel },
  { id: 'look', name: 'settings.look', panel: LookPanel },
] as const satisfies readonly { id: string; name: MessageName; panel: unknown }[];

export function SettingsPage({ tab }: { tab: string }) {
  usePageTitle(say('nav.settings'));
  // Who only watches makes no keys.
  const tabs = useStore(onlyWatches) ? allTabs.filter(({ id }) => id !== 'keys' && id !== 'mcp') : allTabs;
  const found = tabs.find(({ id }) => id === tab);
  if (found === undefined) return <NotFound />;
  const Panel = found.panel;
  return (
    <>
      <h1 class="page-head">{say('nav.settings')}</h1>
      <Tabs base="/app/settings" tabs={tabs} current={tab} />
      <Panel />
    </>
  );
}
