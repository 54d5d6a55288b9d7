import type { Me } from '@lebureau/sdk/types';
import { client, dataOf } from '../client.ts';
import { say } from '../language.ts';
import { Meter } from '../ui/Meter.tsx';
import { useLoaded } from '../ui/useLoaded.ts';

const readAll = async () => {
  const [me, about] = await Promise.all([dataOf(client.GET('/v1/me')), dataOf(client.GET('/v1/about'))]);
  return { me: me as Me, about };
};

/** What the workspace may hold and holds, and what this service is. */
export function LimitsPanel() {
  const { value } = useLoaded(readAll);
  if (value === undefined) return <p class="loading">{say('loading')}</p>;
  const { limit, used } = value.me.quota;
  const gib = (mib: number) => Math.round(mib / 1024);
  return (
    <>
      <section class="panel">
        <h2>{value.me.workspace.name}</h2>
        <Meter
          label={say('nav.desktops')}
          used={used.desktops}
          total={limit.desktops}
          text={`${used.desktops} / ${limit.desktops}`}
        />
        <Meter
          label={say('node.vcpus')}
          used={used.vcpus}
          total={limit.vcpus}
          text={`${used.vcpus} / ${limit.vcpus}`}
        />
        <Meter
          label={say('node.memory')}
          used={used.memoryMiB}
          total={limit.memoryMiB}
          text={say('unit.GiB', { value: `${gib(used.memoryMiB)} / ${gib(limit.memoryMiB)}` })}
        />
        <Meter
          label={say('node.disk')}
          used={used.diskGiB}
          total={limit.diskGiB}
          text={say('unit.GiB', { value: `${used.diskGiB} / ${limit.diskGiB}` })}
        />
        <p class="soft">{say('limits.about')}</p>
      </section>
      <section class="panel">
        <h2>{value.about.name}</h2>
        <dl class="facts">
          <dt>{say('node.version')}</dt>
          <dd>{value.about.version}</dd>
          <dt>{say('limits.license')}</dt>
          <dd>
            {value.about.license} · <a href={value.about.source}>{say('limits.source')}</a>
          </dd>
        </dl>
      </section>
    </>
  );
}
