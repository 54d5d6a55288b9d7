import type { McpRequestContext } from '@modelcontextprotocol/server';
import type { Clock } from '@lebureau/kit/clock';
import type { Log } from '@lebureau/kit/log';
import { Callers, type KnownCaller } from './callers.ts';
import { ConfirmTokens } from './confirmToken.ts';
import { type DoorOptions, refuseAtDoor } from './door.ts';
import { Endpoint } from './endpoint.ts';
import { createServer } from './server.ts';
import { type Settings, SettingsError, narrow } from './settings.ts';

export interface HttpOptions extends DoorOptions {
  baseUrl: string;
  settings: Settings;
  /** Default 45,000. */
  callMaxMs?: number | undefined;
  clock: Clock;
  log: Log;
}

/** Serves `/mcp`: an API key as Bearer with every request, and the settings that the request asks for. */
export function createHttpServer(options: HttpOptions): {
  fetch: (request: Request) => Promise<Response>;
  close: () => Promise<void>;
} {
  const callers = new Callers(options.baseUrl, options.clock);
  const tokens = new ConfirmTokens(options.clock);
  const onerror = (error: Error) => options.log.debug('mcp request refused', { error: error.message });
  const endpoint = new Endpoint(
    ({ authInfo }: McpRequestContext) => {
      if (!authInfo?.extra) throw new Error('A request came past the door');
      const { caller, settings } = authInfo.extra as unknown as Asked;
      return createServer({
        caller,
        settings,
        capabilities: caller.capabilities,
        tokens,
        callMaxMs: options.callMaxMs,
      });
    },
    { clock: options.clock, onerror },
  );
  return {
    close: () => endpoint.close(),
    async fetch(request) {
      if (new URL(request.url).pathname !== '/mcp') return plain(404, 'The MCP server is at /mcp');
      const refused = refuseAtDoor(request, options);
      if (refused) return refused;
      const apiKey = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
      if (apiKey === undefined) return unauthorized('Send an API key: Authorization: Bearer lb_live_…');
      try {
        const settings = settingsOf(request, options.settings);
        const caller = await callers.find(apiKey);
        if (!caller) return unauthorized('That API key is not valid, or no longer');
        const extra: Asked & Record<string, unknown> = { caller, settings };
        const authInfo = { token: apiKey, clientId: caller.id, scopes: [], extra };
        return await endpoint.fetch(request, { owner: caller.id, authInfo });
      } catch (error) {
        if (error instanceof SettingsError) return plain(400, error.message);
        options.log.warn('mcp request failed', { error: String(error) });
        return plain(503, 'Le Bureau cannot be reached', { 'retry-after': '2' });
      }
    },
  };
}

interface Asked {
  caller: KnownCaller;
  settings: Settings;
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
