import {
  type McpHttpHandler,
  createMcpHandler,
  hostHeaderValidationResponse,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { Callers, type KnownCaller } from './callers.ts';
import { ConfirmTokens } from './confirmToken.ts';
import { createServer } from './server.ts';
import { type Settings, SettingsError, narrow } from './settings.ts';

export interface HttpOptions {
  baseUrl: string;
  settings: Settings;
  /** Names that the Host header may have; undefined: any, for a server that is reached by other than loopback. */
  hosts: readonly string[] | undefined;
  /** Host names of web pages that may call. */
  origins: readonly string[];
  clock: Clock;
  log: Log;
}

/** Serves `/mcp`: Streamable HTTP of both eras, an API key as Bearer with every request. */
export function createHttpServer(options: HttpOptions): {
  fetch: (request: Request) => Promise<Response>;
  close: () => Promise<void>;
} {
  const callers = new Callers(options.baseUrl, options.clock);
  const tokens = new ConfirmTokens(options.clock);
  const handler: McpHttpHandler = createMcpHandler(
    ({ authInfo }) => {
      const asked = authInfo?.extra as unknown as { caller: KnownCaller; settings: Settings };
      return createServer({ ...asked, capabilities: asked.caller.capabilities, tokens });
    },
    { onerror: (error) => options.log.debug('mcp request refused', { error: error.message }) },
  );
  return {
    close: () => handler.close(),
    async fetch(request) {
      const refused = refuse(request, options);
      if (refused) return refused;
      const apiKey = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
      if (apiKey === undefined) return unauthorized('Send an API key: Authorization: Bearer lb_live_…');
      try {
        const settings = settingsOf(request, options.settings);
        const caller = await callers.find(apiKey);
        if (!caller) return unauthorized('That API key is not valid, or no longer');
        const authInfo = { token: apiKey, clientId: caller.id, scopes: [], extra: { caller, settings } };
        return await handler.fetch(request, { authInfo });
      } catch (error) {
        if (error instanceof SettingsError) return plain(400, error.message);
        options.log.warn('mcp request failed', { error: String(error) });
        return plain(503, 'Le Bureau cannot be reached', { 'retry-after': '2' });
      }
    },
  };
}

/** The library does not look at Origin and Host by itself. */
function refuse(request: Request, options: HttpOptions): Response | undefined {
  const { pathname } = new URL(request.url);
  if (pathname !== '/mcp') return plain(404, 'The MCP server is at /mcp');
  const host = options.hosts && hostHeaderValidationResponse(request, [...options.hosts]);
  return host ?? originValidationResponse(request, [...options.origins]);
}

/** `/mcp?toolsets=computer,files&readOnly=true&desktop=dsk_…`, or the same as headers. */
function settingsOf(request: Request, bounds: Settings): Settings {
  const { searchParams } = new URL(request.url);
  const text = (name: string, header: string) => searchParams.get(name) ?? request.headers.get(header) ?? undefined;
  return narrow(bounds, {
    toolsets: text('toolsets', 'x-mcp-toolsets'),
    readOnly: text('readOnly', 'x-mcp-readonly'),
    desktop: text('desktop', 'x-mcp-desktop'),
  });
}

function unauthorized(message: string): Response {
  return plain(401, message, { 'www-authenticate': 'Bearer realm="lebureau"' });
}

function plain(status: number, message: string, headers: Record<string, string> = {}): Response {
  const body = { jsonrpc: '2.0', id: null, error: { code: -32_000, message } };
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
}
