import { DuplexEnd } from '@lebureau/kit/duplexEnd';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import type { GuestConnection } from '../guest/server/connection.ts';
import type { Recordings } from './recordings.ts';
import { terminalCommand } from './terminalCommand.ts';

export interface TerminalWish {
  assignmentId: string;
  name: string;
  columns: number;
  rows: number;
  record: boolean;
  recordings: Recordings;
}

const cellsMax = 500;

/** A terminal of the desktop. Its size comes as text: `{"type":"resize","columns":80,"rows":24}`. */
export async function openTerminal(guest: GuestConnection, wish: TerminalWish): Promise<StreamEnd> {
  const ssh = await guest.terminals();
  const channel = await ssh.openTerminal(terminalCommand(wish.name), wish);
  const recording = wish.record ? wish.recordings.begin(wish.assignmentId, wish.name, wish) : undefined;
  if (recording) {
    channel.on('data', (piece: Buffer) => recording.output(piece));
    channel.once('close', () => recording.close());
  }
  return new DuplexEnd(channel, {
    onText: (text) => {
      const size = sizeIn(text);
      if (size === undefined) return;
      channel.setWindow(size.rows, size.columns, 0, 0);
      recording?.resized(size);
    },
  });
}

function sizeIn(text: string): { columns: number; rows: number } | undefined {
  try {
    const { type, columns, rows } = JSON.parse(text) as Record<string, unknown>;
    return type === 'resize' && isCells(columns) && isCells(rows) ? { columns, rows } : undefined;
  } catch {
    return undefined;
  }
}

function isCells(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 2 && (value as number) <= cellsMax;
}
