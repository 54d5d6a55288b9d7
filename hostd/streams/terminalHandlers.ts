import { toRfc3339 } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { GuestConnection } from '../guest/server/connection.ts';
import { answer, noContent, type GuestCall, type GuestHandlers, wholeNumber } from '../guest/server/operation.ts';
import type { Recordings } from './recordings.ts';
import { killCommand, listCommand } from './terminalCommand.ts';

const timeoutMs = 10_000;
const outputMaxBytes = 65_536;
const pieceMaxBytes = 4_194_304;

/** What another node recorded of a desktop that came from there; its guest is not asked. */
export function recordingTaker(recordings: Recordings) {
  return async (call: GuestCall): Promise<Response> => {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const bytes of call.stream()) {
      size += bytes.length;
      if (size > pieceMaxBytes) throw new Fault('payload_too_large', 'The piece is too large.');
      pieces.push(bytes);
    }
    const number = (name: string) => wholeNumber(call.query, name) ?? 0;
    recordings.take({
      assignmentId: call.assignmentId,
      terminalName: nameOf(call),
      beganAt: number('beganAt'),
      offset: number('offset'),
      totalBytes: number('totalBytes'),
      changedAtMs: number('changedAtMs'),
      bytes: Buffer.concat(pieces),
      ...(call.query.get('deleted') === 'true' ? { deleted: true } : {}),
    });
    return noContent();
  };
}

/** The terminals of a desktop, shown or not. */
export function terminalHandlers(recordings: Recordings): GuestHandlers {
  return {
    listTerminals: async (guest, call) => answer({ data: parse((await run(guest, call, listCommand)).stdout) }),
    deleteTerminal: async (guest, call) => {
      const name = nameOf(call);
      const { exitCode } = await run(guest, call, killCommand(name));
      const wasRecorded = recordings.remove(call.assignmentId, name);
      if (exitCode !== 0 && !wasRecorded) throw noTerminal();
      return noContent();
    },
    readTerminalRecording: (_guest, call) => {
      const recording = recordings.read(call.assignmentId, nameOf(call));
      if (recording === undefined) throw new Fault('not_found', 'This terminal was not recorded.');
      return Promise.resolve(new Response(recording, { headers: { 'content-type': 'application/octet-stream' } }));
    },
  };
}

async function run(guest: GuestConnection, call: GuestCall, argv: string[]) {
  const init = await guest.init();
  const { exitCode, stdout } = await init.exec({
    argv,
    user: 'agent',
    timeoutMs,
    outputMaxBytes,
    signal: call.signal,
  });
  return { exitCode, stdout: Buffer.from(stdout).toString('utf8') };
}

/** Of a guest nothing is believed: what does not look like a line of ours is left out. */
function parse(text: string) {
  return text.split('\n').flatMap((line) => {
    const [, name, created, attached] = /^([a-z0-9][a-z0-9-]{0,31}) (\d{1,11}) (\d{1,3})$/.exec(line) ?? [];
    if (name === undefined) return [];
    return [{ name, createdAt: toRfc3339(Number(created) * 1000), attached: Number(attached) > 0 }];
  });
}

function nameOf(call: GuestCall): string {
  const name = call.params['terminalName'] ?? '';
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) throw noTerminal();
  return name;
}

function noTerminal(): Fault {
  return new Fault('not_found', 'The desktop has no such terminal.', { hint: 'List the terminals.' });
}
