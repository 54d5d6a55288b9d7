import { useStore } from '@nanostores/preact';
import { say, type MessageName } from '../language.ts';
import { administers } from '../session.ts';
import { NotFound } from '../ui/NotFound.tsx';
import { Tabs } from '../ui/Tabs.tsx';
import { usePageTitle } from '../ui/usePageTitle.ts';
import { HealthPanel } from './HealthPanel.tsx';
import { LimitsPanel } from './LimitsPanel.tsx';
import { NodesPanel } from './NodesPanel.tsx';
import { PeoplesKeysPanel } from './PeoplesKeysPanel.tsx';
import { PeoplesSessionsPanel } from './PeoplesSessionsPanel.tsx';
import { TemplatesPanel } from './TemplatesPanel.tsx';
import { UsersPanel } from './UsersPanel.tsx';

const tabs = [
  { id: 'nodes', name: 'admin.nodes', panel: NodesPanel },
  { id: 'templates', name: 'admin.templates', panel: TemplatesPanel },
  { id: 'users', name: 'admin.users', panel: UsersPanel },
  { id: 'keys', name: 'settings.keys', panel: PeoplesKeysPanel },
  { id: 'sessions', name: 'settings.sessions', panel: PeoplesSessionsPanel },
  { id: 'health', name: 'admin.health', panel: HealthPanel },
  { id: 'limits', name: 'admin.limits', panel: LimitsPanel },
] as const satisfies readonly { id: string; name: MessageName; panel: unknown }[];

export function AdminPage({ tab }: { tab: string }) {
  usePageTitle(say('nav.admin'));
  const found = tabs.find(({ id }) => id === tab);
  const isAdmin = useStore(administers);
  if (found === undefined || !isAdmin) return <NotFound />;
  const Panel = found.panel;
  return (
    <>
      <h1 class="page-head">{say('nav.admin')}</h1>
      <Tabs base="/app/admin" tabs={tabs} current={tab} />
      <Panel />
    </>
  );
}
