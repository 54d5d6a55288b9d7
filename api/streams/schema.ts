import { DesktopId } from '../desktops/schema.ts';
import { SessionId } from '../sessions/schema.ts';
import { UserId } from '../users/schema.ts';
import { TerminalName } from '../guest/terminalSchema.ts';
import { t } from '../http/schema.ts';

/** One more kind is one more word here and one more row in hostd/streams/kinds.ts. */
export const streamKinds = ['vnc', 'terminal', 'port'] as const;
export const StreamKind = t.Word(streamKinds, {
  description: '`vnc`: the screen, as RFB. `terminal`: a shell. `port`: the bytes of a TCP port of the desktop.',
});

const cells = (about: string) => t.Optional(t.Integer({ minimum: 2, maximum: 500, description: about }));

/** What is asked for besides the kind; which members count depends on it. */
export const streamWish = {
  mode: t.Optional(
    t.Word(['view', 'control'], {
      description: 'Of `vnc`. `control`: mouse and keys pass while this stream holds control. Default view.',
    }),
  ),
  terminalName: t.Optional(TerminalName),
  columns: cells('Of `terminal`. Default 80.'),
  rows: cells('Of `terminal`. Default 24.'),
  record: t.Optional(t.Boolean({ description: 'Of `terminal`: what it shows is kept on the node. Default false.' })),
  port: t.Optional(t.Integer({ minimum: 1, maximum: 65_535, description: 'Of `port`, which needs it.' })),
};

export const CreateStream = t.Object({ kind: StreamKind, ...streamWish });

export const EnterPreview = t.Object({
  ticket: t.String({ maxLength: 100 }),
  desktopId: DesktopId,
  port: t.Integer({ minimum: 1, maximum: 65_535 }),
});

export const EnteredPreview = t.Object({ userId: UserId, sessionId: SessionId });

export const StreamTicket = t.Object({
  kind: StreamKind,
  ticket: t.Optional(t.String({ description: 'Opens one stream, once. A replay of this answer lacks it.' })),
  path: t.String({ description: 'Of the WebSocket; `?ticket=` with the ticket completes it.' }),
  expiresAt: t.String({ format: 'date-time' }),
  terminalName: t.Optional(TerminalName),
});
