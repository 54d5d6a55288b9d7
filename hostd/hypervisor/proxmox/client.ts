import { proxmoxApi, type ApiRequestable, type Proxmox } from 'proxmox-api';
import { formWithFile, type FormWithFile } from './formWithFile.ts';
import type { PveRequest, PveSend } from './transport.ts';

export type PveApi = Proxmox.Api;

/** What Proxmox VE answered, or that it did not: `status` is 0 then, and the request may have been carried out. */
export class PveError extends Error {
  readonly status: number;
  /** Parameter → what is wrong with it, of a 400. */
  readonly parameters: Readonly<Record<string, string>>;

  constructor(request: string, answer: { status: number; reason: string; parameters?: Record<string, string> }) {
    const wrong = Object.entries(answer.parameters ?? {}).map(([name, text]) => `${name}: ${text.trim()}`);
    super([answer.reason.trim() || `status ${answer.status}`, ...wrong].join('; '), { cause: new Error(request) });
    this.name = 'PveError';
    this.status = answer.status;
    this.parameters = answer.parameters ?? {};
  }
}

export interface PveClient {
  api: PveApi;
  /** A POST that carries a file, which is streamed. @throws PveError */
  upload(path: string, form: FormWithFile): Promise<unknown>;
  /** The node's clock minus ours when it last answered, milliseconds; undefined before the first answer. */
  skewMs(): number | undefined;
}

/** PVE waits up to ten seconds for a lock and three for a guest agent before it answers. */
const limitMs = 30_000;

/** The typings of `proxmox-api` over our own transport. Every failure is a `PveError`. */
export function pveClient(send: PveSend, nowMs: () => number): PveClient {
  let skew: number | undefined;
  const ask = async (request: PveRequest): Promise<unknown> => {
    const what = `${request.method} ${request.path}`;
    const answer = await send(request).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new PveError(what, { status: 0, reason: `Proxmox VE did not answer: ${why}` });
    });
    if (answer.dateMs !== undefined) skew = answer.dateMs - nowMs();
    const body = parse(answer.body);
    if (answer.status === 200) return body?.data ?? null;
    const reason = body?.message ?? answer.reason;
    throw new PveError(what, { status: answer.status, reason, parameters: body?.errors });
  };
  const doRequest = async (...asked: Parameters<ApiRequestable['doRequest']>): Promise<unknown> => {
    const [verb, path, , params] = asked;
    return ask({ method: verb.toUpperCase() as PveRequest['method'], path, query: queryOf(params ?? {}), limitMs });
  };
  const upload = (path: string, form: FormWithFile) =>
    ask({ method: 'POST', path: `/api2/json${path}`, query: '', limitMs, parts: formWithFile(form) });
  return { api: proxmoxApi({ doRequest }), upload, skewMs: () => skew };
}

interface Body {
  data?: unknown;
  message?: string;
  errors?: Record<string, string>;
}

function parse(text: string): Body | undefined {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return undefined;
  }
}

/** Lists are given by repeating the name. What is undefined is left out. */
function queryOf(params: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined) query.append(name, word(each));
  }
  return query.toString();
}

function word(value: unknown): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value);
}
