import type { Figure } from './figure.ts';

export interface Report {
  at: string;
  commit: string;
  machine: { cores: number; memoryGiB: number; bun: string; qemu: string; virtualisation: string };
  figures: readonly Figure[];
}

const head = ['| what | measured | to reach | | commit |', '| --- | --- | --- | --- | --- |'];
const block = /<!-- figures -->[^]*<!-- \/figures -->/;

/** The page with these figures in its table: rows that were not measured this time stay as they are. */
export function withFigures(page: string, report: Report): string {
  const rows = new Map(rowsOf(block.exec(page)?.[0] ?? '').map((row) => [row[0]!, row]));
  for (const figure of report.figures) rows.set(figure.what, rowOf(figure, report.commit));
  const { cores, memoryGiB, qemu, virtualisation, bun } = report.machine;
  const text = [
    '<!-- figures -->',
    '',
    `Last measured ${report.at.slice(0, 10)} on ${cores} cores, ${memoryGiB} GiB, ${qemu}, ${virtualisation}, Bun ${bun}; each row names the commit it was measured at.`,
    '',
    ...head,
    ...[...rows.values()].map((row) => `| ${row.join(' | ')} |`),
    '',
    '<!-- /figures -->',
  ].join('\n');
  return block.test(page) ? page.replace(block, () => text) : `${page}\n${text}\n`;
}

function rowsOf(table: string): string[][] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| what ') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    )
    .map((cells) => [...cells, ...Array.from({ length: 5 - cells.length }, () => '–')]);
}

function rowOf({ what, value, unit, reach, met }: Figure, commit: string): string[] {
  const sign = reach.at === '<=' ? '≤' : '≥';
  return [what, `${value} ${unit}`, `${sign} ${reach.value} ${unit}`, met ? 'met' : '**missed**', `\`${commit}\``];
}
