import {
  type AuthInfo,
  type McpHttpHandler,
  type McpServer,
  type McpServerFactory,
  WebStandardStreamableHTTPServerTransport,
  createMcpHandler,
  isInitializeRequest,
  readRequestBody,
} from '@modelcontextprotocol/server';
import type { Clock } from '@lebureau/kit/clock';
import { EventMemory } from './eventMemory.ts';

export interface EndpointOptions {
  clock: Clock;
  onerror: (error: Error) => void;
  /** Open sessions of the older era; the one that was used longest ago ends first. Default 200. */
  sessionsMax?: number;
  /** A session that was not used for so long ends. Default 30 minutes. */
  sessionIdleMs?: number;
}

/** Who a request comes from. A session belongs to the owner who opened it. */
export interface Asker {
  owner: string;
  authInfo?: AuthInfo;
}

interface Session {
  owner: string;
  server: McpServer;
  transport: WebStandardStreamableHTTPServerTransport;
  usedMs: number;
}

/**
 * Streamable HTTP of both eras from one factory. Requests of 2026-07-28 stand alone. Clients of the older era that
 * initialize get a session, so that they can be asked questions and take up broken streams; those that do not
 * initialize are served request by request.
 */
export class Endpoint {
  readonly #factory: McpServerFactory;
  readonly #options: EndpointOptions;
  readonly #modern: McpHttpHandler;
  readonly #sessions = new Map<string, Session>();

  constructor(factory: McpServerFactory, options: EndpointOptions) {
    this.#factory = factory;
    this.#options = options;
    this.#modern = createMcpHandler(factory, { onerror: options.onerror });
  }

  async fetch(request: Request, asker: Asker): Promise<Response> {
    const sessionId = request.headers.get('mcp-session-id');
    if (sessionId !== null) return await this.#inSession(sessionId, request, asker);
    const { authInfo } = asker;
    if (request.method !== 'POST' || isModern(request)) return await this.#modern.fetch(request, { authInfo });
    const body = await readRequestBody(request.clone() as Request);
    const parsed = body.tooLarge ? undefined : parse(body.text);
    if (!isInitializeRequest(parsed)) return await this.#modern.fetch(request, { authInfo });
    const session = await this.#open(request, asker);
    return await session.transport.handleRequest(request, { parsedBody: parsed, authInfo });
  }

  async close(): Promise<void> {
    await this.#modern.close();
    await Promise.all([...this.#sessions.keys()].map((id) => this.#end(id)));
  }

  async #inSession(id: string, request: Request, { owner, authInfo }: Asker): Promise<Response> {
    const session = this.#sessions.get(id);
    if (!session || session.owner !== owner) return sessionUnknown();
    session.usedMs = this.#options.clock.nowMs();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    return await session.transport.handleRequest(request, { authInfo });
  }

  async #open(request: Request, { owner, authInfo }: Asker): Promise<Session> {
    const server = (await this.#factory({ era: 'legacy', requestInfo: request, authInfo })) as McpServer;
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      eventStore: new EventMemory(),
      retryInterval: 1000,
      onsessioninitialized: (id) => void this.#sessions.set(id, session),
      onsessionclosed: (id) => this.#end(id),
    });
    const session: Session = { owner, server, transport, usedMs: this.#options.clock.nowMs() };
    await server.connect(transport);
    this.#sweep(session.usedMs);
    return session;
  }

  #sweep(nowMs: number): void {
    const { sessionsMax = 200, sessionIdleMs = 30 * 60_000 } = this.#options;
    // The map is in the order of use.
    for (const [id, session] of this.#sessions) {
      if (this.#sessions.size < sessionsMax && session.usedMs + sessionIdleMs > nowMs) return;
      this.#end(id).catch(this.#options.onerror);
    }
  }

  async #end(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    await session?.server.close();
  }
}

function isModern(request: Request): boolean {
  return (request.headers.get('mcp-protocol-version') ?? '') >= '2026';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sessionUnknown(): Response {
  const body = { jsonrpc: '2.0', id: null, error: { code: -32_001, message: 'Session not found' } };
  return new Response(JSON.stringify(body), { status: 404, headers: { 'content-type': 'application/json' } });
}
