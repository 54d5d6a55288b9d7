import { toRfc3339 } from '@lebureau/kit/clock';
import type { components } from '@lebureau/openapi/node';
import { toText } from './text.ts';

export type Process = components['schemas']['Process'];
export type ShellUser = 'agent' | 'root';

const linePattern =
  /^(prc_[0-7][0-9a-hjkmnp-tv-z]{25}) (\d{1,10}|-) ([01]) (\d{1,3}|-) (\d{1,12}|-) (\d{1,15}) (\d{1,15}) ([01]) ((?:[0-9a-f]{2})*|-)$/;
const digits = '0123456789abcdefghjkmnpqrstvwxyz';
/** The last that RFC 3339 can say. */
const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** A command as processTool.ts tells of it, or undefined when the line is not one of its: the guest may say anything. */
export function readRecord(line: string, user: ShellUser): Process | undefined {
  const parts = linePattern.exec(line);
  if (parts === null) return undefined;
  const [, processId = '', pid, isAlive, code, endedSeconds, stdoutBytes, stderrBytes, isCut, command] = parts;
  const startedMs = bornAtMs(processId);
  const hasExited = code !== '-';
  return {
    processId,
    command: command === '-' ? '' : toText(Buffer.from(command ?? '', 'hex')),
    user,
    pid: pid === '-' ? null : Number(pid),
    status: hasExited ? 'exited' : isAlive === '1' ? 'running' : 'lost',
    exitCode: hasExited ? Number(code) : null,
    startedAt: toRfc3339(startedMs),
    // The guest's clock may lag; nothing ends before it began.
    endedAt: hasExited ? toRfc3339(Math.min(Math.max(Number(endedSeconds) * 1000 || 0, startedMs), lastMs)) : null,
    stdoutBytes: Number(stdoutBytes),
    stderrBytes: Number(stderrBytes),
    truncated: isCut === '1',
  };
}

/** Our own clock at the start: the first ten characters of a UUIDv7 in base32 are its 48 bits of milliseconds. */
function bornAtMs(processId: string): number {
  let ms = 0;
  for (const digit of processId.slice(4, 14)) ms = ms * 32 + digits.indexOf(digit);
  return ms;
}
