import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { language } from '../language.ts';
import { loneOf, type Values } from './series.ts';
import { incrementsOf, sayValue, type Unit } from './units.ts';

export interface Picture {
  unit: Unit;
  /** Top of the axis, when what is measured has one. */
  most: number | undefined;
  /** Seconds since 1970. */
  from: number;
  to: number;
  times: readonly number[];
  lines: readonly Values[];
}

const heightPx = 170;
const colours = ['--accent', '--warn'] as const;
const daySeconds = 86_400;

/** One chart in an element: lines with gaps where nothing is known, in the colours of the page as they are now. */
export class Plot {
  readonly #plot: uPlot;
  readonly #target: HTMLElement;
  #picture: Picture;

  constructor(target: HTMLElement, picture: Picture, onMoment: (at: number | null) => void) {
    this.#target = target;
    this.#picture = picture;
    this.#plot = new uPlot(this.#options(onMoment), dataOf(picture), target);
  }

  show(picture: Picture): void {
    this.#picture = picture;
    this.#plot.setData(dataOf(picture));
  }

  /** The colours of the page or its width changed. */
  draw(): void {
    this.#plot.setSize({ width: this.#target.clientWidth, height: heightPx });
    this.#plot.redraw(false);
  }

  /** Moves the cursor to a point. */
  point(at: number): void {
    const left = this.#plot.valToPos(this.#picture.times[at] ?? this.#picture.from, 'x');
    this.#plot.setCursor({ left, top: 0 });
  }

  /** The same by where on the screen a finger is. */
  pointNear(clientX: number): void {
    const left = clientX - this.#plot.over.getBoundingClientRect().left;
    this.#plot.setCursor({ left, top: 0 });
  }

  end(): void {
    this.#plot.destroy();
  }

  #options(onMoment: (at: number | null) => void): uPlot.Options {
    const { unit, lines } = this.#picture;
    const axis = { stroke: () => colour('--soft'), font: '12px system-ui, sans-serif', ticks: { show: false } };
    const grid = { stroke: () => colour('--line'), width: 1 };
    return {
      width: this.#target.clientWidth,
      height: heightPx,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'metrics' }, points: { size: 7 } },
      scales: {
        x: { range: () => [this.#picture.from, this.#picture.to] },
        y: { range: (_plot, _least, most) => [0, topOf(this.#picture, most)] },
      },
      axes: [
        {
          ...axis,
          grid,
          size: 28,
          space: 72,
          values: (_plot, moments) => moments.map((at) => sayMoment(at, this.#picture)),
        },
        {
          ...axis,
          grid,
          size: 74,
          space: 34,
          incrs: incrementsOf(unit),
          values: (_plot, values) => values.map((value) => sayValue(value, unit)),
        },
      ],
      series: [{}, ...lines.map((_, at) => lineOptions(at))],
      hooks: { setCursor: [(plot) => onMoment(plot.cursor.idx ?? null)] },
    };
  }
}

/** The second line is dashed: colour is never the only difference. */
function lineOptions(at: number): uPlot.Series {
  const name = colours[at % colours.length]!;
  return {
    stroke: () => colour(name),
    width: 1.75,
    ...(at === 0 ? { fill: () => `${colour(name)}1f` } : { dash: [5, 4] }),
    points: { size: 4, fill: () => colour(name), filter: (plot, line) => loneOf(plot.data[line] as Values) },
  };
}

function dataOf({ times, lines }: Picture): uPlot.AlignedData {
  return [times as number[], ...lines.map((line) => line as (number | null)[])];
}

/** A little room above the highest, and a line that is all zero lies at the bottom. */
function topOf({ most }: Picture, highest: number | null): number {
  return Math.max(most ?? 1, (highest ?? 0) * (most === undefined ? 1.1 : 1));
}

/** The time, or the day where one begins. */
function sayMoment(at: number, { from, to }: Picture): string {
  const moment = new Date(at * 1000);
  const isDay = to - from > daySeconds * 1.1 && moment.getHours() === 0;
  const style: Intl.DateTimeFormatOptions = isDay
    ? { day: 'numeric', month: 'short' }
    : { hour: '2-digit', minute: '2-digit' };
  return new Intl.DateTimeFormat(language.get(), style).format(moment);
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
