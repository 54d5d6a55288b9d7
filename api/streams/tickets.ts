import { createHash, randomBytes } from 'node:crypto';
import type { Database, Write } from '../db/database.ts';
import type { StreamTicketRow } from '../db/tables.ts';
import type { Static } from '../http/schema.ts';
import type { Credential } from '../keys/stillGood.ts';
import type { CreateStream } from './schema.ts';

export type StreamWish = Static<typeof CreateStream>;

export const ticketLifeMs = 30_000;

export interface SpentTicket {
  credential: Credential;
  desktopId: string;
  wish: StreamWish;
}

/** A right to open one stream. Only its hash is kept. */
export async function issueTicket(
  write: Write,
  from: { credential: Credential; desktopId: string; wish: StreamWish; nowMs: number },
): Promise<{ ticket: string; expiresMs: number }> {
  const ticket = `lbt_${randomBytes(32).toString('base64url')}`;
  const row: StreamTicketRow = {
    hash: hashOf(ticket),
    ...from.credential,
    desktopId: from.desktopId,
    wishJson: JSON.stringify(from.wish),
    expiresMs: from.nowMs + ticketLifeMs,
  };
  await write.db.insertInto('streamTickets').values(row).execute();
  return { ticket, expiresMs: row.expiresMs };
}

/** Takes the ticket out of the world, good or not. Of two who come with it at once one gets it. */
export async function spendTicket(
  database: Database,
  from: { ticket: string; desktopId: string; kind: string; nowMs: number },
): Promise<SpentTicket | undefined> {
  const row = await database.write(({ db }) =>
    db.deleteFrom('streamTickets').where('hash', '=', hashOf(from.ticket)).returningAll().executeTakeFirst(),
  );
  if (row === undefined || row.expiresMs <= from.nowMs) return undefined;
  const wish = JSON.parse(row.wishJson) as StreamWish;
  if (row.desktopId !== from.desktopId || wish.kind !== from.kind) return undefined;
  const { workspaceId, actorId, sessionId } = row;
  const credential = { workspaceId, actorId, sessionId, actorType: row.actorType as Credential['actorType'] };
  return { credential, desktopId: row.desktopId, wish };
}

export async function purgeTickets({ db }: Write, nowMs: number): Promise<void> {
  await db.deleteFrom('streamTickets').where('expiresMs', '<', nowMs).execute();
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}
