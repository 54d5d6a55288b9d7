import { DuplexEnd } from '@lebureau/kit/duplexEnd';
import { Fault } from '@lebureau/kit/fault';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import type { components } from '@lebureau/openapi/node';
import type { GuestConnection } from '../guest/server/connection.ts';
import { wholeNumber } from '../guest/server/operation.ts';
import type { ControlLeases } from './controlLeases.ts';
import { openPort } from './openPort.ts';
import { openScreen } from './openScreen.ts';
import { openTerminal } from './openTerminal.ts';
import type { Recordings } from './recordings.ts';

export type StreamKind = components['schemas']['StreamKind'];

export interface StreamCall {
  assignmentId: string;
  guest: GuestConnection;
  /** The API has checked it against the contract. */
  query: URLSearchParams;
}

export type OpenStream = (call: StreamCall) => Promise<StreamEnd>;

/** What each kind of stream leads to. */
export function streamKinds(parts: { leases: ControlLeases; recordings: Recordings }): Record<StreamKind, OpenStream> {
  return {
    vnc: ({ guest, assignmentId, query }) => {
      const mode = query.get('mode') === 'control' ? 'control' : 'view';
      return openScreen(guest, { assignmentId, mode, leases: parts.leases });
    },
    terminal: ({ guest, assignmentId, query }) => {
      const name = query.get('terminalName') ?? 'main';
      if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) throw new Fault('invalid_request', 'That is no name of a terminal.');
      const size = { columns: wholeNumber(query, 'columns') ?? 80, rows: wholeNumber(query, 'rows') ?? 24 };
      const record = query.get('record') === 'true';
      return openTerminal(guest, { assignmentId, name, record, ...size, recordings: parts.recordings });
    },
    port: async ({ guest, query }) => {
      const port = wholeNumber(query, 'port') ?? 0;
      return new DuplexEnd(await openPort(guest, port));
    },
  };
}
