import type { Duplex } from 'node:stream';
import { redeem } from '../routes/vnc.ts';
import { routes } from '../routes/table.ts';
import { Download, Envelope, type Call, type World } from '../world/world.ts';
import { supplement } from './supplement.ts';
import type { Json, Method } from './reference.ts';
import { badParameters, Refusal } from './refusal.ts';
import { checkReturns } from './returns.ts';
import { verifyParameters, type Parameters } from './verify.ts';

export interface Request {
  method: string;
  /** Below `/api2/json`, still percent-encoded. */
  path: string;
  params: Parameters;
  authorization?: string;
}

export interface Reply {
  status: number;
  reason: string;
  contentType: string | null;
  body: Json | string;
}

interface Found {
  template: string;
  method: Method;
  inPath: Record<string, string>;
}

const jsonType = 'application/json;charset=UTF-8';
const authDelayMs = 3000;
/** What pveproxy answers to somebody it does not know. */
const openCalls = new Set(['GET /access/domains', 'GET /access/ticket', 'POST /access/ticket']);

/** One request through PVE's own order: who are you, is there such a call, may you, which node, is it well-formed, do it. */
export class Dispatcher {
  private readonly trees = new Map<string, { parts: string[]; template: string; method: Method }[]>();

  constructor(
    readonly world: World,
    private readonly options: { localNode: string },
  ) {
    for (const [name, method] of Object.entries({ ...world.options.schema, ...supplement })) {
      const [verb = '', template = ''] = name.split(' ');
      const known = this.trees.get(verb) ?? [];
      known.push({ parts: template.split('/').slice(1), template, method });
      this.trees.set(verb, known);
    }
  }

  /** The name by which faults know a request: `POST /nodes/{node}/qemu/{vmid}/clone`. */
  nameOf(request: Request): string {
    const found = this.find(request.method, request.path);
    return `${request.method} ${found?.template ?? request.path}`;
  }

  async handle(request: Request): Promise<Reply> {
    try {
      const open = openCalls.has(`${request.method} ${request.path}`) && request.authorization === undefined;
      const caller = open ? '' : await this.authenticate(request.authorization);
      return await this.answer(request, caller);
    } catch (error) {
      if (error instanceof Refusal) return refusalReply(error);
      throw error;
    }
  }

  /** A WebSocket: the same checks, then the stream behind the ticket. */
  async upgrade(request: Request): Promise<Reply | ((client: Duplex) => Promise<void>)> {
    try {
      const caller = await this.authenticate(request.authorization);
      const found = this.find(request.method, request.path);
      if (!found?.template.endsWith('/vncwebsocket')) throw notImplemented(request);
      return redeem(this.prepare(request, found, caller));
    } catch (error) {
      if (error instanceof Refusal) return refusalReply(error);
      throw error;
    }
  }

  private async authenticate(authorization: string | undefined): Promise<string> {
    const parts = /^PVEAPIToken=([^\s=]+)=(\S+)$/.exec(authorization ?? '');
    const token = parts ? this.world.state.tokens[parts[1] ?? ''] : undefined;
    if (token && !token.revoked && token.secret === parts?.[2]) return parts[1] ?? '';
    await this.world.pace.wait(authDelayMs);
    const tried = /^PVEAPIToken[=:\s]/.test(authorization ?? '');
    throw new Refusal(401, tried ? 'Authentication failed!' : 'No ticket', { body: 'none' });
  }

  private async answer(request: Request, caller: string): Promise<Reply> {
    const found = this.find(request.method, request.path);
    if (!found) throw notImplemented(request);
    const call = this.prepare(request, found, caller);
    // A call that PVE has and the double has not is refused as PVE would, as far as that goes.
    const handler = routes[`${request.method} ${found.template}`];
    if (!handler) throw notImplemented(request);
    const result = await handler(call);
    if (result instanceof Download) return { status: 200, reason: 'OK', contentType: 'text/plain', body: result.text };
    const [data, beside] = result instanceof Envelope ? [result.data, result.beside] : [result, {}];
    checkReturns(`${request.method} ${found.template}`, found.method.returns, data);
    return { status: 200, reason: 'OK', contentType: jsonType, body: { data, ...beside } };
  }

  private prepare(request: Request, found: Found, caller: string): Call {
    const { world } = this;
    const given: Parameters = { ...found.inPath };
    for (const [name, value] of Object.entries(request.params)) {
      if (given[name] !== undefined) throw badParameters({ [name]: 'duplicate parameter (already defined in URI)' });
      given[name] = value;
    }
    world.permissions.checkMethod(caller, found.method, given);
    const node = found.inPath.node ?? this.options.localNode;
    if (found.method.proxyto) this.reach(node);
    return { world, caller, node, given: verifyParameters(found.method, given, world.facts.absentParameters) };
  }

  /** The daemon asked passes a call on to the node it is for. */
  private reach(node: string): void {
    const known = this.world.state.nodes[node];
    if (node === 'localhost' || (known?.online && node === this.options.localNode)) return;
    if (known === undefined) {
      const why = `failed to get address info for: ${node}: Temporary failure in name resolution`;
      throw new Refusal(500, `hostname lookup '${node}' failed - ${why}`);
    }
    if (!known.online) throw new Refusal(595, 'No route to host', { body: 'none' });
  }

  private find(verb: string, path: string): Found | undefined {
    const given = unescaped(path)
      .split(/\/+/)
      .filter((part) => part !== '');
    let best: Found | undefined;
    let bestFixed = -1;
    for (const one of this.trees.get(verb) ?? []) {
      const inPath = matched(one.parts, given);
      const fixed = one.parts.filter((part) => !part.startsWith('{')).length;
      if (inPath === undefined || fixed <= bestFixed) continue;
      best = { template: one.template, method: one.method, inPath };
      bestFixed = fixed;
    }
    return best;
  }
}

/** The whole path is unescaped before it is taken apart: `%2F` divides as a slash does. */
function unescaped(path: string): string {
  const bytes = path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
  return path === bytes ? path : Buffer.from(bytes, 'latin1').toString();
}

/** Names with slashes in them are always last: a network, a volume. */
const restOfPath = new Set(['{cidr}', '{volume}']);

function matched(parts: string[], given: string[]): Record<string, string> | undefined {
  const greedy = restOfPath.has(parts.at(-1) ?? '') && given.length > parts.length;
  const ours = greedy ? [...given.slice(0, parts.length - 1), given.slice(parts.length - 1).join('/')] : given;
  if (ours.length !== parts.length) return undefined;
  const inPath: Record<string, string> = {};
  for (const [at, part] of parts.entries()) {
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name === undefined && part !== ours[at]) return undefined;
    if (name !== undefined) inPath[name] = ours[at] ?? '';
  }
  return inPath;
}

function notImplemented(request: Request): Refusal {
  const text = `Method '${request.method} ${request.path}' not implemented`;
  return new Refusal(501, text, { message: text });
}

function refusalReply(refusal: Refusal): Reply {
  const { status, details } = refusal;
  // A status line is one line, whatever there is more to say.
  const [reason = ''] = refusal.reason.split('\n');
  if (details.body === 'none') return { status, reason, contentType: null, body: null };
  const body: Record<string, Json> = { data: null, message: details.message ?? `${refusal.reason}\n` };
  if (details.errors) body.errors = details.errors;
  return { status, reason, contentType: jsonType, body };
}
