import type { DesktopData, Node, Template } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useEffect } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { desktops, loadDesktops } from '../desktops/desktopStore.ts';
import { say, sayAge, sayTime } from '../language.ts';
import { allPages } from '../ui/allPages.ts';
import { sayValue } from '../metrics/units.ts';
import { CopyButton } from '../ui/CopyButton.tsx';
import { failed } from '../ui/Toasts.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import './admin.css';

const readAll = async () => {
  const nodes = allPages(
    (cursor) => client.GET('/v1/nodes', { params: { query: { limit: 100, cursor } } }) as never,
  ) as Promise<Node[]>;
  const { data } = await dataOf(client.GET('/v1/templates', { params: { query: { limit: 100 } } }));
  return { templates: data, nodes: await nodes };
};

/** What desktops are made from: each build, where it is, and who needs it. */
export function TemplatesPanel() {
  const { value } = useLoaded(readAll);
  const all = useStore(desktops);
  useEffect(() => void loadDesktops().catch(failed), []);
  if (value === undefined) return <p class="loading">{say('loading')}</p>;
  const { templates, nodes } = value;
  // The API gives the newest first, and who asks for a name gets the newest of that name.
  const isNewest = (template: Template) => templates.find(({ name }) => name === template.name)?.id === template.id;
  return (
    <>
      <p class="soft page-head">{say('templates.about')}</p>
      {templates.length === 0 && <p class="empty">{say('templates.none')}</p>}
      {templates.map((template) => (
        <TemplatePanel
          key={template.id}
          template={template}
          isNewest={isNewest(template)}
          nodes={nodes}
          users={Object.values(all).filter((desktop) => desktop.template.id === template.id)}
        />
      ))}
    </>
  );
}

function TemplatePanel(of: {
  template: Template;
  isNewest: boolean;
  nodes: readonly Node[];
  users: readonly DesktopData[];
}) {
  const { template, isNewest, nodes, users } = of;
  return (
    <section class="panel">
      <div class="row">
        <h2>{template.name}</h2>
        <span class={isNewest ? 'badge running' : 'badge'}>
          <span class="dot" aria-hidden="true" />
          {say(isNewest ? 'templates.newest' : 'templates.former')}
        </span>
      </div>
      <dl class="facts">
        <dt>{say('templates.version')}</dt>
        <dd class="row">
          <code>{template.id}</code>
          <CopyButton text={template.id} what={say('templates.version')} />
        </dd>
        <dt>{say('templates.built')}</dt>
        <dd>
          {sayTime(template.builtAt)} <span class="soft">({sayAge(template.builtAt)})</span>
        </dd>
        <dt>{say('templates.disk')}</dt>
        <dd>{sayValue(template.diskMiB, 'mebibytes')}</dd>
        <dt>{say('templates.warm')}</dt>
        <dd>{template.warmSizes.join(', ') || say('templates.noWarm')}</dd>
        <dt>{say('admin.nodes')}</dt>
        <dd>{template.nodeIds.map((id) => nodes.find((node) => node.id === id)?.name ?? id).join(', ') || '–'}</dd>
        {/* A node that has the others and not this one is where it is still to be built. */}
        {isNewest && <Missing template={template} nodes={nodes} />}
        <dt>{say('templates.neededBy')}</dt>
        <dd>
          {users.length === 0
            ? say('templates.unneeded')
            : users.map((desktop, at) => (
                <span key={desktop.id}>
                  {at > 0 && ', '}
                  <a href={`/app/desktops/${desktop.id}`}>{desktop.name}</a>
                </span>
              ))}
        </dd>
      </dl>
    </section>
  );
}

function Missing({ template, nodes }: { template: Template; nodes: readonly Node[] }) {
  const lacking = nodes.filter((node) => node.status === 'up' && !template.nodeIds.includes(node.id));
  if (lacking.length === 0) return null;
  return (
    <>
      <dt>{say('templates.lacking')}</dt>
      <dd>{lacking.map((node) => node.name).join(', ')}</dd>
    </>
  );
}
