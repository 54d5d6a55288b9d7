import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { JsonObject } from '../api/reference.ts';
import { died, Refusal } from '../api/refusal.ts';
import { spliceWithPassword } from '../guest/vncLogin.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes } from '../world/world.ts';

const ticketLifeMs = 10_000;
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%&*+-.:=?@_';
const firstPort = 5900;

export const vncRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/vncproxy': (call) => {
    const { world, given, caller } = call;
    const vm = world.vm(Number(given.vmid), call.node);
    if (given['generate-password'] === 1 && given.websocket !== 1) {
      throw died("'generate-password' requires 'websocket'");
    }
    const port = freePort(call);
    const password = [...randomBytes(8)].map((byte) => letters[byte % letters.length]).join('');
    const hex = world.nowS(call.node).toString(16).toUpperCase();
    const ticket = `${password}:PVEVNC:${hex}::${randomBytes(64).toString('base64')}`;
    const opened = new AbortController();
    const upid = world.task(call, 'vncproxy', (running) => serveOnce(call, { ticket, opened, running }));
    world.tickets.set(ticket, {
      vmid: vm.vmid,
      port,
      password,
      dueMs: world.clock.nowMs() + ticketLifeMs,
      upid,
      open: () => opened.abort(),
    });
    const answer: JsonObject = { user: caller, ticket, cert: certificate, port: String(port), upid };
    return given.websocket === 1 ? { ...answer, password } : answer;
  },
};

const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

function freePort({ world }: Call): number {
  const taken = new Set([...world.tickets.values()].map((one) => one.port));
  for (let port = firstPort; port < 6000; port++) if (!taken.has(port)) return port;
  throw died('unable to find free port (5900-5999)');
}

/** The worker behind a ticket: ten seconds for somebody to come, then it lasts as long as the connection. */
async function serveOnce(
  call: Call,
  one: { ticket: string; opened: AbortController; running: Running },
): Promise<void> {
  const { world } = call;
  const either = new AbortController();
  one.opened.signal.addEventListener('abort', () => either.abort());
  one.running.signal.addEventListener('abort', () => either.abort());
  await world.clock.sleep(ticketLifeMs, either.signal);
  const came = one.opened.signal.aborted;
  world.tickets.delete(one.ticket);
  if (one.running.signal.aborted) throw died('received interrupt');
  if (!came) throw died('connection timed out');
}

/** Finds what a ticket opens. @throws 401 as PVE does for one that is wrong, used or too old. */
export function redeem(call: Call): (client: Duplex) => Promise<void> {
  const { world, given } = call;
  const ticket = world.tickets.get(String(given.vncticket));
  const good = ticket !== undefined && ticket.vmid === Number(given.vmid) && world.clock.nowMs() <= ticket.dueMs;
  if (!good) throw new Refusal(401, 'permission denied - invalid PVEVNC ticket', { body: 'none' });
  if (ticket.port !== Number(given.port)) throw new Refusal(599, 'Connection refused', { body: 'none' });
  ticket.open();
  world.tickets.delete(String(given.vncticket));
  return async (client) => {
    try {
      const machine = await world.machines.display(ticket.vmid);
      await spliceWithPassword(client, machine, ticket.password);
    } catch {
      client.destroy();
    }
  };
}
