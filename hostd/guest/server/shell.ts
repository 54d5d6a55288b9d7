import type { components } from '@lebureau/openapi/node';
import { Fault } from '@lebureau/kit/fault';
import { bash, exec, python, type ShellCall } from '../shell/exec.ts';
import { followProcess, type ProcessEvent } from '../shell/follow.ts';
import {
  deleteProcess,
  getProcess,
  listProcesses,
  readProcessOutput,
  signalProcess,
  startProcess,
} from '../shell/processes.ts';
import type { GuestConnection } from './connection.ts';
import { answer, noContent, wholeNumber, type GuestCall, type GuestHandlers } from './operation.ts';

type Schemas = components['schemas'];

/** Commands in the guest. */
export const shellHandlers: GuestHandlers = {
  exec: async (guest, call) =>
    answer(await exec(await guest.init(), await call.json<Schemas['ExecBody']>(), shellCall(guest, call))),
  bash: async (guest, call) =>
    answer(await bash(await guest.init(), await call.json<Schemas['BashBody']>(), shellCall(guest, call))),
  python: async (guest, call) =>
    answer(await python(await guest.init(), await call.json<Schemas['PythonBody']>(), shellCall(guest, call))),
  startProcess: async (guest, call) => {
    const body = await call.json<Schemas['ProcessBody']>();
    return answer(await startProcess(await guest.init(), body, shellCall(guest, call)), 201);
  },
  listProcesses: async (guest) => answer(await listProcesses(await guest.init())),
  getProcess: async (guest, call) => answer(await getProcess(await guest.init(), processId(call))),
  readProcessOutput: async (guest, call) => {
    const stream = call.query.get('stream') ?? undefined;
    if (stream !== undefined && stream !== 'stdout' && stream !== 'stderr') {
      throw new Fault('invalid_request', 'stream wants stdout or stderr.');
    }
    const ask = {
      stream,
      offset: wholeNumber(call.query, 'offset'),
      maxBytes: wholeNumber(call.query, 'maxBytes'),
    } as const;
    return answer(await readProcessOutput(await guest.init(), processId(call), ask));
  },
  streamProcess: async (guest, call) => {
    const lastEventId = call.headers.get('last-event-id') ?? undefined;
    const stop = new AbortController();
    const signal = AbortSignal.any([call.signal, stop.signal]);
    const events = followProcess(await guest.init(), processId(call), { lastEventId, signal });
    // The first event is awaited here, so that an unknown process is a 404 and no empty stream.
    const first = await events.next();
    return eventStream({ first, events, stop });
  },
  signalProcess: async (guest, call) => {
    const body = await call.json<Schemas['SignalBody']>();
    return answer(await signalProcess(await guest.init(), processId(call), body));
  },
  deleteProcess: async (guest, call) => {
    await deleteProcess(await guest.init(), processId(call));
    return noContent();
  },
};

function shellCall(guest: GuestConnection, call: GuestCall): ShellCall {
  return { clock: guest.parts.clock, signal: call.signal };
}

function processId(call: GuestCall): string {
  return call.params['processId'] ?? '';
}

interface Source {
  first: IteratorResult<ProcessEvent, void>;
  events: AsyncGenerator<ProcessEvent, void, undefined>;
  stop: AbortController;
}

/** Taken from the guest only as fast as it is read. */
function eventStream(source: Source): Response {
  let next: IteratorResult<ProcessEvent, void> | undefined = source.first;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = next ?? (await source.events.next());
        next = undefined;
        if (done === true) controller.close();
        else if (value !== undefined) controller.enqueue(Buffer.from(toWire(value)));
      },
      cancel: async () => {
        source.stop.abort();
        await source.events.return();
      },
    },
    { highWaterMark: 1 },
  );
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } });
}

function toWire(event: ProcessEvent): string {
  if (event.kind === 'ping') return ': ping\n\n';
  const { kind, id, ...rest } = event;
  const data = kind === 'exit' && 'process' in rest ? rest.process : rest;
  return `id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
