import type { components } from '@lebureau/openapi/node';
import type { InitChannel } from '../init/channel.ts';
import { isOver, readOutput } from './processes.ts';
import { toText, wholeLength } from './text.ts';

/**
 * `id` is good for `Last-Event-ID`: it says how far both streams have been told. `ping` says only that all is well;
 * it becomes a comment on the wire.
 */
export type ProcessEvent =
  | { kind: 'stdout' | 'stderr'; id: string; data: string; offset: number; nextOffset: number }
  | { kind: 'exit'; id: string; process: components['schemas']['Process'] }
  | { kind: 'ping' };

const newsMaxMs = 10_000;
const chunkMaxBytes = 256 * 1024;

/**
 * Output of a command as it comes, from the beginning or from `lastEventId`, and at the end `exit`. It asks the guest
 * to wait for news, so an event comes some tens of milliseconds after the bytes were written.
 * @throws Fault not_found, guest_unreachable
 */
export async function* followProcess(
  init: InitChannel,
  processId: string,
  options: { lastEventId?: string; signal?: AbortSignal } = {},
): AsyncGenerator<ProcessEvent, void, undefined> {
  const at = offsetsOf(options.lastEventId);
  const seen = { ...at };
  // The first round does not wait: whoever asked learns at once that the command is known.
  for (let waitMs = 0; ; waitMs = newsMaxMs) {
    options.signal?.throwIfAborted();
    const wishOf = (stream: Stream) => ({ offset: at[stream], seen: seen[stream], maxBytes: chunkMaxBytes });
    const wish = { stdout: wishOf('stdout'), stderr: wishOf('stderr'), waitMs, signal: options.signal };
    const output = await readOutput(init, processId, wish);
    const { record } = output;
    const reaches = (stream: Stream) => at[stream] + output[stream].length >= record[`${stream}Bytes`];
    // A guest may claim bytes that it does not give.
    const isDry = output.stdout.length + output.stderr.length === 0;
    const isLast = isOver(record) && (isDry || (reaches('stdout') && reaches('stderr')));
    let isNews = isLast;
    for (const kind of ['stdout', 'stderr'] as const) {
      const bytes = output[kind];
      seen[kind] = at[kind] + bytes.length;
      const length = isLast ? bytes.length : wholeLength(bytes);
      if (length === 0) continue;
      isNews = true;
      const offset = at[kind];
      at[kind] += length;
      yield { kind, id: idOf(at), data: toText(bytes.subarray(0, length)), offset, nextOffset: at[kind] };
    }
    if (isLast) {
      yield { kind: 'exit', id: idOf(at), process: record };
      return;
    }
    if (!isNews) yield { kind: 'ping' };
  }
}

type Stream = 'stdout' | 'stderr';
type Offsets = Record<Stream, number>;

function idOf(at: Offsets): string {
  return `${at.stdout}.${at.stderr}`;
}

function offsetsOf(lastEventId: string | undefined): Offsets {
  const parts = /^(\d{1,12})\.(\d{1,12})$/.exec(lastEventId ?? '');
  return parts === null ? { stdout: 0, stderr: 0 } : { stdout: Number(parts[1]), stderr: Number(parts[2]) };
}
