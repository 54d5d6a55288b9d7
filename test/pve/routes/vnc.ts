import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { died, Refusal } from '../api/refusal.ts';
import { spliceWithPassword } from '../guest/vncLogin.ts';
import type { Running } from '../world/tasks.ts';
import type { Call, Routes } from '../world/world.ts';

const ticketLifeMs = 10_000;
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%&*+-.:=?@_';
const firstPort = 5900;

export const vncRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/vncproxy': (call) => {
    const { world, given } = call;
    const vm = world.vm(Number(given.vmid), call.node);
    if (given['generate-password'] === 1 && given.websocket !== 1) {
      throw died("'generate-password' requires 'websocket'");
    }
    const { password, ...answer } = openPort(call, vm.vmid, 'connection timed out');
    return given.websocket === 1 ? { ...answer, cert: certificate, password } : { ...answer, cert: certificate };
  },
  'POST /nodes/{node}/qemu/{vmid}/termproxy': (call) => {
    const vm = call.world.vm(Number(call.given.vmid), call.node);
    const serial = call.given.serial === undefined ? '' : ` -iface ${String(call.given.serial)}`;
    const program = `/usr/bin/termproxy ${freePort(call)} --path /vms/${vm.vmid} --perm VM.Console`;
    const late = `command '${program} -- /usr/sbin/qm terminal ${vm.vmid} -escape 0${serial}' failed: exit code 1`;
    const { user, ticket, port, upid } = openPort(call, vm.vmid, late);
    return { user, ticket, port, upid };
  },
  // Without an upgrade it only tells that the ticket is good.
  'GET /nodes/{node}/qemu/{vmid}/vncwebsocket': (call) => {
    goodTicket(call);
    call.world.vm(Number(call.given.vmid), call.node);
    return { port: String(call.given.port) };
  },
};

interface OpenPort {
  user: string;
  ticket: string;
  port: string;
  upid: string;
  password: string;
}

function openPort(call: Call, vmid: number, late: string): OpenPort {
  const { world, caller } = call;
  const port = freePort(call);
  const password = [...randomBytes(8)].map((byte) => letters[byte % letters.length]).join('');
  const hex = world.nowS(call.node).toString(16).toUpperCase();
  const ticket = `${password}:PVEVNC:${hex}::${randomBytes(64).toString('base64')}`;
  const opened = new AbortController();
  const upid = world.task(call, 'vncproxy', (running) => serveOnce(call, { ticket, opened, running, late }));
  world.tickets.set(ticket, {
    vmid,
    port,
    password,
    dueMs: world.clock.nowMs() + ticketLifeMs,
    upid,
    open: () => opened.abort(),
  });
  return { user: caller, ticket, port: String(port), upid, password };
}

const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

function freePort({ world }: Call): number {
  const taken = new Set([...world.tickets.values()].map((one) => one.port));
  for (let port = firstPort; port < 6000; port++) if (!taken.has(port)) return port;
  throw died('unable to find free port (5900-5999)');
}

/** The worker behind a ticket: ten seconds for somebody to come, then it lasts as long as the connection. */
async function serveOnce(
  call: Call,
  one: { ticket: string; opened: AbortController; running: Running; late: string },
): Promise<void> {
  const { world } = call;
  const either = new AbortController();
  one.opened.signal.addEventListener('abort', () => either.abort());
  one.running.signal.addEventListener('abort', () => either.abort());
  await world.clock.sleep(ticketLifeMs, either.signal);
  const came = one.opened.signal.aborted;
  world.tickets.delete(one.ticket);
  if (one.running.signal.aborted) throw died('received interrupt');
  if (!came) throw died(one.late);
}

type Ticket = Call['world']['tickets'] extends Map<string, infer T> ? T : never;

/** @throws 401 as PVE does for one that is wrong, used or too old. */
function goodTicket({ world, given }: Call): Ticket {
  const ticket = world.tickets.get(String(given.vncticket));
  const good = ticket !== undefined && ticket.vmid === Number(given.vmid) && world.clock.nowMs() <= ticket.dueMs;
  if (!good) throw new Refusal(401, 'permission denied - invalid PVEVNC ticket');
  return ticket;
}

/** Finds what a ticket opens. */
export function redeem(call: Call): (client: Duplex) => Promise<void> {
  const { world, given } = call;
  const ticket = goodTicket(call);
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
