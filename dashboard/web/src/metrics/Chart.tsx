import type { DesktopData } from '@lebureau/sdk/types';
import { useStore } from '@nanostores/preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { say, sayTime } from '../language.ts';
import { look } from '../look.ts';
import type { ChartKind } from './chartKinds.ts';
import type { Measured } from './measured.ts';
import { type Picture, Plot } from './plot.ts';
import { stretchesOf, summaryOf } from './series.ts';
import { sayValue } from './units.ts';

/** A measure as a picture, with what it says in words and numbers beside it. Arrow keys walk along it. */
export function Chart({ kind, measured, desktop }: { kind: ChartKind; measured: Measured; desktop: DesktopData }) {
  const target = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const [moment, setMoment] = useState<number | null>(null);
  const picture = useMemo(() => pictureOf(kind, measured, desktop), [kind, measured, desktop]);
  useEffect(() => {
    const made = new Plot(target.current!, picture, setMoment);
    plot.current = made;
    const resized = new ResizeObserver(() => made.draw());
    resized.observe(target.current!);
    return () => {
      resized.disconnect();
      made.end();
    };
  }, [kind]);
  useEffect(() => plot.current?.show(picture), [picture]);
  useColoursOf(plot);
  const name = say(kind.name);
  const last = measured.points.findLastIndex(({ measuredSeconds }) => measuredSeconds > 0);
  const shown = moment === null ? null : (measured.points[moment] ?? null);
  const valueAt = (line: number) => picture.lines[line]?.[moment ?? last] ?? null;
  const words = kind.lines.map((line, at) => `${say(line.name)} ${sayValue(valueAt(at), kind.unit)}`).join(', ');
  return (
    <figure class="panel chart">
      <figcaption class="row between">
        <h2>{name}</h2>
        <span class="soft">{shown !== null && sayTime(shown.at)}</span>
      </figcaption>
      <div class="chart-box">
        <input
          class="chart-cursor"
          type="range"
          min={0}
          max={measured.points.length - 1}
          value={moment ?? last}
          aria-label={say('metrics.moment', { name })}
          aria-valuetext={`${sayTime((shown ?? measured.points[last])?.at ?? measured.to)}: ${words}`}
          onInput={(event) => plot.current?.point(Number(event.currentTarget.value))}
        />
        <div
          ref={target}
          class="chart-target"
          aria-hidden="true"
          onPointerMove={(event) => event.pointerType !== 'mouse' && plot.current?.pointNear(event.clientX)}
        />
      </div>
      <Lines kind={kind} picture={picture} moment={moment} />
      <Stretches kind={kind} picture={picture} measured={measured} />
    </figure>
  );
}

function pictureOf(kind: ChartKind, { from, to, points }: Measured, { hardware }: DesktopData): Picture {
  return {
    unit: kind.unit,
    most: kind.most?.(hardware),
    from: Date.parse(from) / 1000,
    to: Date.parse(to) / 1000,
    times: points.map(({ at }) => Date.parse(at) / 1000),
    lines: kind.lines.map((line) => points.map((point) => line.of(point, hardware))),
  };
}

/** Draws anew when the theme changes, by the page or by the system. */
function useColoursOf(plot: { current: Plot | undefined }): void {
  const chosen = useStore(look);
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const draw = () => plot.current?.draw();
    draw();
    system.addEventListener('change', draw);
    return () => system.removeEventListener('change', draw);
  }, [chosen]);
}

function Lines({ kind, picture, moment }: { kind: ChartKind; picture: Picture; moment: number | null }) {
  return (
    <table class="chart-lines">
      <thead>
        <tr>
          <td />
          <th scope="col">{moment === null ? say('metrics.latest') : say('metrics.then')}</th>
          <th scope="col">{say('metrics.onAverage')}</th>
          <th scope="col">{say('metrics.highest')}</th>
        </tr>
      </thead>
      <tbody>
        {kind.lines.map((line, at) => {
          const { now, mean, highest } = summaryOf(picture.lines[at]!);
          const value = moment === null ? now : (picture.lines[at]![moment] ?? null);
          return (
            <tr key={line.name}>
              <th scope="row">
                <span class={`chart-key of-${at}`} aria-hidden="true" />
                {say(line.name)}
              </th>
              {[value, mean, highest].map((each, column) => (
                <td key={column}>{sayValue(each, kind.unit)}</td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const rowsMax = 12;

/** The picture as a table, made when it is opened. */
function Stretches({ kind, picture, measured }: { kind: ChartKind; picture: Picture; measured: Measured }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{say('metrics.asTable')}</summary>
      {isOpen && (
        <div class="table-box" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{say('metrics.from')}</th>
                {kind.lines.map((line) => (
                  <th key={line.name} scope="col">
                    {say(line.name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {stretchesOf(picture.lines, rowsMax).map(({ at, means }) => (
                <tr key={at}>
                  <td>{sayTime(measured.points[at]!.at)}</td>
                  {means.map((mean, line) => (
                    <td key={line}>{sayValue(mean, kind.unit)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
