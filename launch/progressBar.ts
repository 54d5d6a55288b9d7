/** One line that is drawn over itself on a terminal, and a line a stage elsewhere. */
export interface ProgressBar {
  show(progress: { stage: string; fraction?: number | undefined; detail?: string | undefined }): void;
  end(): void;
}

export function openProgressBar(out: NodeJS.WriteStream): ProgressBar {
  let lastStage = '';
  let drawn = false;
  return {
    show({ stage, fraction, detail }) {
      if (!out.isTTY) {
        if (stage !== lastStage) out.write(`${stage} …\n`);
        lastStage = stage;
        return;
      }
      const width = 24;
      const filled = Math.round(Math.min(1, Math.max(0, fraction ?? 0)) * width);
      const bar = fraction === undefined ? ''.padEnd(width, '·') : ''.padEnd(filled, '█').padEnd(width, '░');
      const percent = fraction === undefined ? '' : ` ${Math.floor(fraction * 100)} %`;
      const line = `${bar}${percent}  ${stage}${detail ? `  ${detail}` : ''}`;
      out.write(`\r\u001B[2K${line.slice(0, Math.max(20, out.columns - 1))}`);
      drawn = true;
    },
    end() {
      if (drawn) out.write('\r\u001B[2K');
      drawn = false;
    },
  };
}
