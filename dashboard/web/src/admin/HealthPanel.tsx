import type { components } from '@lebureau/sdk/generated/public';
import { useEffect } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { say, sayTime, type MessageName } from '../language.ts';
import { onResync } from '../live.ts';
import { Icon } from '../ui/Icon.tsx';
import { useLoaded } from '../ui/useLoaded.ts';
import './admin.css';

type Health = components['schemas']['ServiceHealth'];

const everyMs = 10_000;
const readHealth = () => dataOf(client.GET('/v1/health'));

/** What to look at first, then the numbers behind it. */
export function HealthPanel() {
  const { value: health, reload } = useLoaded(readHealth);
  useEffect(() => {
    const timer = setInterval(reload, everyMs);
    const end = onResync(reload);
    return () => {
      clearInterval(timer);
      end();
    };
  }, [reload]);
  if (health === undefined) return <p class="loading">{say('loading')}</p>;
  return (
    <>
      <Attention health={health} />
      <div class="health">
        {groupsOf(health).map(({ name, facts }) => (
          <section key={name} class="panel">
            <h2>{say(name)}</h2>
            <dl class="facts">
              {facts.map(([fact, value]) => (
                <div key={fact} class="fact">
                  <dt>{say(fact)}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </>
  );
}

function Attention({ health }: { health: Health }) {
  if (health.attention.length === 0)
    return (
      <p class="all-well" role="status">
        <Icon name="check" />
        {say('health.well')}
      </p>
    );
  return (
    <ul class="attention" role="status" aria-label={say('health.attention')}>
      {health.attention.map((word) => (
        <li key={word} class="alert">
          {say(`health.${word}` as MessageName)}
        </li>
      ))}
    </ul>
  );
}

type Fact = readonly [name: MessageName, value: string | number];

function groupsOf(health: Health): { name: MessageName; facts: Fact[] }[] {
  const { database, nodes, machines, pool, metrics } = health;
  return [
    {
      name: 'health.service',
      facts: [
        ['node.version', health.version],
        ['health.startedAt', sayTime(health.startedAt)],
        ['node.memory', say('unit.MiB', { value: health.memoryMiB })],
        ['health.database', database.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'],
        ['health.answeredIn', say('unit.ms', { value: database.answeredInMs })],
      ],
    },
    {
      name: 'admin.nodes',
      facts: [
        ['node.up', nodes.up],
        ['node.silent', nodes.silent],
        ['node.cordoned', nodes.cordoned],
        ['node.strangers', nodes.strangers],
        ['health.hostdVersions', nodes.versions.join(', ') || '–'],
      ],
    },
    {
      name: 'nav.desktops',
      facts: [
        ['health.running', machines.running],
        ['health.off', machines.off],
        ['health.underWay', machines.underWay],
        ['health.failing', machines.failing],
      ],
    },
    {
      name: 'health.queues',
      facts: [
        ['health.poolReady', pool.ready],
        ['health.poolUnderWay', pool.underWay],
        ['health.reportsWaiting', metrics.reportsWaiting],
        ['health.lastReport', metrics.lastReportAt === null ? say('never') : sayTime(metrics.lastReportAt)],
        ['health.tickets', health.streamTickets],
      ],
    },
  ];
}
