import { Fault } from '@lebureau/kit/fault';
import { newId } from '@lebureau/kit/id';
import { toRfc3339 } from '@lebureau/kit/clock';
import type { Write } from '../db/database.ts';
import type { ApiKeyRow } from '../db/tables.ts';
import { record } from '../events/record.ts';
import { decodeCursor, encodeCursor, limitDefault } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import type { Static } from '../http/schema.ts';
import { invalid } from '../http/validate.ts';
import type { Services } from '../services.ts';
import type { Caller } from './auth.ts';
import { allows, type Capability, defaultCapabilities } from './capabilities.ts';
import type { ApiKey, CreateKey, ListKeysQuery } from './schema.ts';
import { hashSecret, newSecret } from './secret.ts';
import { keyTopic } from './topic.ts';
import { findKey, insertKey, listKeyRows, markRevoked } from './store.ts';

type Restriction = Caller['restriction'];

export async function createKey(
  services: Services,
  write: Write,
  from: { caller: Caller; requestId: string; body: Static<typeof CreateKey> },
): Promise<{ row: ApiKeyRow; secret: string }> {
  const { caller, requestId, body } = from;
  const capabilities = body.capabilities ?? defaultCapabilities.filter((name) => caller.capabilities.has(name));
  const lacking = capabilities.find((name) => !allows(caller.capabilities, name));
  if (lacking)
    throw new Fault('capability_missing', `This key lacks ${lacking} itself and cannot give it.`, {
      members: { capability: lacking },
    });
  const asked = body.expiresAt === undefined ? null : Date.parse(body.expiresAt);
  if (asked !== null && asked <= services.clock.nowMs())
    throw invalid([{ pointer: '/expiresAt', code: 'too_small', message: 'lies in the past' }]);
  const creator = await findKey(write.db, caller.workspaceId, caller.actor.id!);
  const restriction = narrowed(caller.restriction, body.restriction ?? null);
  const made = newKey({
    workspaceId: caller.workspaceId,
    name: body.name,
    capabilities,
    restriction,
    // What a person's key makes is that person's: it shrinks and ends with them.
    createdBy: caller.maker?.userId ?? caller.actor.id!,
    nowMs: services.clock.nowMs(),
  });
  made.row.expiresMs = earlier(asked, creator?.expiresMs ?? null);
  await insertKey(write, made.row);
  await tell(services, write, { caller, requestId, type: 'key.created', row: made.row });
  return made;
}

/** A key row and its secret, which is nowhere else. */
export function newKey(from: {
  workspaceId: string;
  name: string;
  capabilities: readonly Capability[];
  restriction: Restriction;
  createdBy: string | null;
  nowMs: number;
  secret?: string;
}): { row: ApiKeyRow; secret: string } {
  const secret = from.secret ?? newSecret();
  const row: ApiKeyRow = {
    id: newId('key', from.nowMs),
    workspaceId: from.workspaceId,
    name: from.name,
    hash: hashSecret(secret),
    lastFour: secret.slice(-4),
    capabilitiesJson: JSON.stringify(from.capabilities),
    restrictionJson: from.restriction && JSON.stringify(from.restriction),
    createdBy: from.createdBy,
    createdMs: from.nowMs,
    expiresMs: null,
    revokedMs: null,
    lastUsedMs: null,
  };
  return { row, secret };
}

/** The restriction asked for within that of the creator. @throws Fault `capability_missing` when it would reach further */
export function narrowed(own: Restriction, asked: Restriction): Restriction {
  if (own === null) return asked;
  const desktopIds = asked?.desktopIds ?? own.desktopIds;
  if (own.desktopIds && desktopIds?.some((id) => !own.desktopIds!.includes(id))) {
    throw new Fault('capability_missing', 'This key is restricted to other desktops itself.', {
      members: { capability: 'keys:write' },
    });
  }
  const labels = { ...asked?.labels, ...own.labels };
  if (Object.entries(asked?.labels ?? {}).some(([name, value]) => labels[name] !== value)) {
    throw new Fault('capability_missing', 'This key is restricted to other labels itself.', {
      members: { capability: 'keys:write' },
    });
  }
  return { ...(desktopIds ? { desktopIds } : {}), ...(Object.keys(labels).length > 0 ? { labels } : {}) };
}

/** A key that ends could go on for ever through those it creates, so they end with it. */
function earlier(asked: number | null, own: number | null): number | null {
  if (asked === null || own === null) return asked ?? own;
  return Math.min(asked, own);
}

/** Within a second it stops everywhere, here at once. */
export async function revokeKey(
  services: Services,
  write: Write,
  from: { caller: Caller; requestId: string; keyId: string },
): Promise<void> {
  const { caller, requestId, keyId } = from;
  const row = await findKey(write.db, caller.workspaceId, keyId);
  if (row === undefined || !isVisible(caller, row)) throw notFound('key');
  if (row.revokedMs !== null) return;
  await markRevoked(write, keyId, services.clock.nowMs());
  write.wake(keyTopic(keyId));
  await tell(services, write, { caller, requestId, type: 'key.revoked', row });
}

/** A member has keys of their own; those of others are an admin's matter. */
function seesAll({ session, maker }: Caller): boolean {
  const role = session?.role ?? maker?.role;
  return role === undefined || role === 'owner' || role === 'admin';
}

/** Under which the rows of what somebody made stand. */
function makerOf({ actor, maker }: Caller): string | undefined {
  return maker?.userId ?? actor.id;
}

function isVisible(caller: Caller, row: ApiKeyRow): boolean {
  return within(caller.restriction, row) && (seesAll(caller) || row.createdBy === makerOf(caller));
}

/** A restricted key sees and revokes only keys that it could have created. */
function within(own: Restriction, row: ApiKeyRow): boolean {
  if (own === null) return true;
  const its = row.restrictionJson === null ? null : (JSON.parse(row.restrictionJson) as Restriction);
  const idsFit =
    own.desktopIds === undefined || (its?.desktopIds?.every((id) => own.desktopIds!.includes(id)) ?? false);
  return idsFit && Object.entries(own.labels ?? {}).every(([name, value]) => its?.labels?.[name] === value);
}

export async function listKeys(
  services: Services,
  caller: Caller,
  query: Static<typeof ListKeysQuery>,
): Promise<{ rows: ApiKeyRow[]; nextCursor: string | null }> {
  const limit = query.limit ?? limitDefault;
  const before = decodeCursor(query.cursor, 'keys');
  const createdBy = seesAll(caller) ? undefined : makerOf(caller);
  const found = await listKeyRows(services.database.read, caller.workspaceId, { before, limit: limit + 1, createdBy });
  const rows = found.slice(0, limit);
  const nextCursor = found.length > limit ? encodeCursor(rows.at(-1)!.id, 'keys') : null;
  return { rows: rows.filter((row) => isVisible(caller, row)), nextCursor };
}

export function toWire(row: ApiKeyRow): Static<typeof ApiKey> {
  const time = (ms: number | null) => (ms === null ? null : toRfc3339(ms));
  return {
    id: row.id,
    name: row.name,
    lastFour: row.lastFour,
    capabilities: JSON.parse(row.capabilitiesJson) as Capability[],
    restriction:
      row.restrictionJson === null ? null : (JSON.parse(row.restrictionJson) as Static<typeof ApiKey>['restriction']),
    createdBy: row.createdBy,
    createdAt: toRfc3339(row.createdMs),
    expiresAt: time(row.expiresMs),
    revokedAt: time(row.revokedMs),
    lastUsedAt: time(row.lastUsedMs),
  };
}

async function tell(
  services: Services,
  write: Write,
  what: { caller: Caller; requestId: string; type: 'key.created' | 'key.revoked'; row: ApiKeyRow },
): Promise<void> {
  const { caller, requestId, type, row } = what;
  await record(write, services.clock, {
    type,
    workspaceId: caller.workspaceId,
    actor: caller.actor,
    requestId,
    data: { keyId: row.id, name: row.name },
  });
}
