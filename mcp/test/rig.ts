import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Fake, type FakeOptions } from '@lebureau/sdk/testing';
import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { createHttpServer } from '../http.ts';
import { listen } from '../listen.ts';
import { type Settings, everything } from '../settings.ts';

export const eras = ['legacy', 'modern'] as const;
export type Era = (typeof eras)[number];

/** What a tool answered, as far as tests look at it. */
export interface Said {
  text: string;
  image: { data: string; mimeType: string } | undefined;
  data: Record<string, unknown> | undefined;
  failed: boolean;
}

/** The fake API over real HTTP, and the MCP server on it over real HTTP. */
export async function startRig(options: FakeOptions & { settings?: Partial<Settings>; callMaxMs?: number } = {}) {
  const fake = new Fake(options);
  const api = await listen(fake.fetch, { host: '127.0.0.1', port: 0 });
  const baseUrl = `http://127.0.0.1:${api.port}`;
  const server = createHttpServer({
    baseUrl,
    settings: { ...everything, ...options.settings },
    callMaxMs: options.callMaxMs,
    hosts: ['127.0.0.1', 'localhost'],
    origins: ['localhost'],
    clock: systemClock,
    log: silentLog,
  });
  const listener = await listen(server.fetch, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${listener.port}/mcp`;
  return {
    fake,
    baseUrl,
    url,
    connect: (how: { era?: Era; query?: string; key?: string; elicit?: boolean } = {}) =>
      connect(url + (how.query ?? ''), { key: how.key ?? fake.apiKey, ...how }),
    async [Symbol.asyncDispose]() {
      await server.close();
      await listener.close(0);
      await api.close(0);
    },
  };
}

async function connect(url: string, how: { era?: Era; key: string; elicit?: boolean }) {
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    {
      versionNegotiation: { mode: how.era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
      capabilities: how.elicit ? { elicitation: {} } : {},
    },
  );
  const requestInit = { headers: { authorization: `Bearer ${how.key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return client;
}

/** Calls a tool and takes its answer apart. */
export async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<Said> {
  return said(await client.callTool({ name, arguments: args }));
}

export function said(result: Awaited<ReturnType<Client['callTool']>>): Said {
  const content = (result.content ?? []) as { type: string; text?: string; data?: string; mimeType?: string }[];
  const images = content.filter((block) => block.type === 'image');
  if (images.length > 1) throw new Error('More than one picture');
  const [image] = images;
  return {
    text: content.map((block) => block.text ?? '').join('\n'),
    image: image ? { data: image.data ?? '', mimeType: image.mimeType ?? '' } : undefined,
    data: result.structuredContent as Record<string, unknown> | undefined,
    failed: result.isError === true,
  };
}
