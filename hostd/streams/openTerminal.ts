import type { Duplex } from 'node:stream';
import { DuplexEnd } from '@lebureau/kit/duplexEnd';
import { describeError, Fault } from '@lebureau/kit/fault';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import type { GuestConnection } from '../guest/server/connection.ts';
import { NewestSize, type TerminalSize } from './newestSize.ts';
import type { Recordings } from './recordings.ts';
import { terminalCommand } from './terminalCommand.ts';
import type { TerminalRecording } from './terminalRecording.ts';

export interface TerminalWish {
  assignmentId: string;
  name: string;
  columns: number;
  rows: number;
  record: boolean;
  recordings: Recordings;
}

const cellsMax = 500;

/**
 * A terminal of the desktop. Its size comes as text: `{"type":"resize","columns":80,"rows":24}`.
 * @throws Fault `disk_full` when it is to be recorded and there is no room to begin
 */
export async function openTerminal(guest: GuestConnection, wish: TerminalWish): Promise<StreamEnd> {
  const { clock } = guest.parts;
  const ssh = await guest.terminals();
  const channel = await ssh.openTerminal(terminalCommand(wish.name), wish);
  const recording = wish.record ? begin(guest, channel, wish) : undefined;
  const size = new NewestSize({
    tell: ({ columns, rows }) => {
      channel.setWindow(rows, columns, 0, 0);
      recording?.resized({ columns, rows });
    },
    isOut: () => ssh.isOut,
    clock,
  });
  if (recording) {
    channel.on('data', (piece: Buffer) => recording.output(piece));
    channel.once('close', () => recording.close());
  }
  channel.once('close', () => size.end());
  return new DuplexEnd(channel, {
    onText: (text) => {
      const wanted = sizeIn(text);
      if (wanted !== undefined) size.set(wanted);
    },
  });
}

function begin(guest: GuestConnection, channel: Duplex, wish: TerminalWish): TerminalRecording {
  const { assignmentId, name, columns, rows, recordings } = wish;
  const onBroken = (cause: unknown) =>
    guest.parts.log.warn('recording ended', { assignmentId, name, error: describeError(cause) });
  try {
    return recordings.begin(assignmentId, name, { columns, rows, onBroken });
  } catch (cause) {
    channel.destroy();
    throw new Fault('disk_full', 'The node has no room to record the terminal.', {
      hint: 'Open it without `record`, or make room on the disk of its node.',
      cause,
    });
  }
}

function sizeIn(text: string): TerminalSize | undefined {
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
