import type { DesktopData } from '@lebureau/sdk/types';
import { useState } from 'preact/hooks';
import { say } from '../language.ts';
import { Chart } from './Chart.tsx';
import { chartKinds } from './chartKinds.ts';
import type { Measured } from './measured.ts';
import './metrics.css';
import { type Span, spans } from './spans.ts';
import { useMeasured } from './useMeasured.ts';

/** What a desktop uses and used, up to a month ago. */
export function MetricsPanel({ desktop }: { desktop: DesktopData }) {
  const [span, setSpan] = useState<Span>(spans[0]);
  const measured = useMeasured(desktop.id, span);
  return (
    <>
      <div class="row page-head" role="group" aria-label={say('metrics.span')}>
        {spans.map((each) => (
          <button
            key={each.id}
            type="button"
            class={each === span ? 'button primary' : 'button'}
            aria-pressed={each === span}
            onClick={() => setSpan(each)}
          >
            {say(each.name)}
          </button>
        ))}
      </div>
      {measured === undefined && <p class="loading">{say('loading')}</p>}
      {measured && !isKnown(measured) && <p class="empty">{say('metrics.none')}</p>}
      {measured && isKnown(measured) && (
        <div class="charts">
          {chartKinds.map((kind) => (
            <Chart key={kind.id} kind={kind} measured={measured} desktop={desktop} />
          ))}
        </div>
      )}
    </>
  );
}

function isKnown({ points }: Measured): boolean {
  return points.some(({ measuredSeconds }) => measuredSeconds > 0);
}
