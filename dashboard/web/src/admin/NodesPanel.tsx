import type { Node } from '@lebureau/sdk/types';
import { useEffect, useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { language, say, sayTime, type MessageName } from '../language.ts';
import { onEvent, onResync } from '../live.ts';
import { allPages } from '../ui/allPages.ts';
import { ConfirmDialog } from '../ui/ConfirmDialog.tsx';
import { Icon } from '../ui/Icon.tsx';
import { Menu, MenuItem } from '../ui/Menu.tsx';
import { Meter } from '../ui/Meter.tsx';
import { failed } from '../ui/Toasts.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import { AddNodeDialog } from './AddNodeDialog.tsx';

const readNodes = () =>
  allPages((cursor) => client.GET('/v1/nodes', { params: { query: { limit: 100, cursor } } }) as never) as Promise<
    Node[]
  >;
const againMs = 10_000;

export function NodesPanel() {
  const { value: nodes, reload } = useLoaded(readNodes);
  const [adding, setAdding] = useState(false);
  useEffect(() => {
    const timer = setInterval(reload, againMs);
    const ends = [onEvent(({ type }) => type.startsWith('node.') && reload()), onResync(reload)];
    return () => {
      clearInterval(timer);
      for (const end of ends) end();
    };
  }, [reload]);
  return (
    <>
      <div class="row between page-head">
        <p class="soft">{say('nodes.about')}</p>
        <button type="button" class="button primary" onClick={() => setAdding(true)}>
          <Icon name="plus" />
          {say('nodes.add')}
        </button>
      </div>
      {nodes === undefined && <p class="loading">{say('loading')}</p>}
      {nodes?.map((node) => (
        <NodePanel key={node.id} node={node} onChange={reload} />
      ))}
      {adding && <AddNodeDialog onClose={() => setAdding(false)} />}
    </>
  );
}

function NodePanel({ node, onChange }: { node: Node; onChange: () => void }) {
  const { capacity, reserved } = node;
  const gib = (mib: number) =>
    new Intl.NumberFormat(language.get(), { maximumFractionDigits: mib < 10_240 ? 1 : 0 }).format(mib / 1024);
  return (
    <section class="panel">
      <div class="row between">
        <div class="row">
          <h2>{node.name}</h2>
          <span class={`badge ${node.status === 'up' ? 'running' : 'error'}`}>
            <span class="dot" aria-hidden="true" />
            {say(`node.${node.status}` as MessageName)}
          </span>
          {node.cordoned && <span class="badge pending">{say('node.cordoned')}</span>}
        </div>
        <NodeMenu node={node} onChange={onChange} />
      </div>
      <Meter
        label={say('node.vcpus')}
        used={reserved.vcpus}
        total={capacity.vcpus}
        text={`${reserved.vcpus} / ${capacity.vcpus}`}
      />
      <Meter
        label={say('node.memory')}
        used={reserved.memoryMiB}
        total={capacity.memoryMiB}
        text={say('unit.GiB', { value: `${gib(reserved.memoryMiB)} / ${gib(capacity.memoryMiB)}` })}
      />
      <Meter
        label={say('node.disk')}
        used={capacity.diskMiB - capacity.diskFreeMiB}
        total={capacity.diskMiB}
        text={say('node.free', { gib: gib(capacity.diskFreeMiB) })}
      />
      <dl class="facts">
        <dt>{say('node.driver')}</dt>
        <dd>
          {node.hypervisorVersion}, {node.accelerator}
        </dd>
        <dt>{say('node.network')}</dt>
        <dd>{node.networkReason}</dd>
        <dt>{say('node.version')}</dt>
        <dd>{node.version}</dd>
        <dt>{say('node.heard')}</dt>
        <dd>{node.lastHeardAt === null ? say('never') : sayTime(node.lastHeardAt)}</dd>
        {node.strangers > 0 && (
          <>
            <dt>{say('node.strangers')}</dt>
            <dd>{node.strangers}</dd>
          </>
        )}
      </dl>
    </section>
  );
}

type Duty = 'cordon' | 'uncordon' | 'drain' | 'fence' | 'decommission';
const asked: readonly Duty[] = ['drain', 'fence', 'decommission'];

function NodeMenu({ node, onChange }: { node: Node; onChange: () => void }) {
  const [asking, setAsking] = useState<Duty>();
  const params = { path: { nodeId: node.id } };
  const act = (duty: Duty) =>
    ({
      cordon: () => dataOf(client.POST('/v1/nodes/{nodeId}/cordon', { params })),
      uncordon: () => dataOf(client.POST('/v1/nodes/{nodeId}/uncordon', { params })),
      drain: () => dataOf(client.POST('/v1/nodes/{nodeId}/drain', { params, body: {} })),
      fence: () => dataOf(client.POST('/v1/nodes/{nodeId}/fence', { params })),
      decommission: () => dataOf(client.POST('/v1/nodes/{nodeId}/decommission', { params, body: {} })),
    })
      [duty]()
      .then(onChange);
  const possible: Duty[] = [node.cordoned ? 'uncordon' : 'cordon', 'drain'];
  if (node.status !== 'up') possible.push('fence');
  possible.push('decommission');
  return (
    <>
      <Menu label={say('desktop.actionsOf', { name: node.name })} icon="more">
        {possible.map((duty) => (
          <MenuItem
            key={duty}
            danger={asked.includes(duty)}
            onChoose={() => (asked.includes(duty) ? setAsking(duty) : void act(duty).catch(failed))}
          >
            {say(`duty.${duty}`)}
          </MenuItem>
        ))}
      </Menu>
      {asking && (
        <ConfirmDialog
          title={`${say(`duty.${asking}`)}: ${node.name}`}
          text={say(`duty.${asking}.text` as MessageName)}
          verb={say(`duty.${asking}`)}
          onConfirm={() => act(asking)}
          onClose={() => setAsking(undefined)}
        />
      )}
    </>
  );
}
