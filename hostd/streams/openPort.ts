import type { Duplex } from 'node:stream';
import type { GuestConnection } from '../guest/server/connection.ts';
import { loopbackOnly } from './loopbackOnly.ts';

const askLimitMs = 2_000;
const tablesMaxBytes = 1_048_576;
const knownMs = 500;

/** Per guest, because each page asks for many connections at once. */
const known = new WeakMap<GuestConnection, { tables: Promise<string>; atMs: number }>();

/**
 * The bytes of a TCP port. Many web servers listen on the loopback only and are reached over SSH; everything else by the
 * network, which is quicker.
 */
export async function openPort(guest: GuestConnection, port: number): Promise<Duplex> {
  if (loopbackOnly(await tablesOf(guest), port)) return (await guest.ports()).openTcp('localhost', port);
  return guest.parts.driver.openPort(guest.parts.vmRef, port);
}

function tablesOf(guest: GuestConnection): Promise<string> {
  const nowMs = guest.parts.clock.monotonicMs();
  const found = known.get(guest);
  if (found !== undefined && nowMs - found.atMs < knownMs) return found.tables;
  const tables = ask(guest);
  known.set(guest, { tables, atMs: nowMs });
  return tables;
}

/** A guest that does not say is asked by the network. */
async function ask(guest: GuestConnection): Promise<string> {
  try {
    const init = await guest.init();
    const argv = ['cat', '/proc/net/tcp', '/proc/net/tcp6'];
    const { stdout } = await init.exec({ argv, user: 'agent', timeoutMs: askLimitMs, outputMaxBytes: tablesMaxBytes });
    return Buffer.from(stdout).toString('latin1');
  } catch {
    return '';
  }
}
