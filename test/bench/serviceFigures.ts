import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { join } from 'node:path';
import { call, createReady, type Service } from '../system/product.ts';
import { remove } from './desktopFigures.ts';
import { type Figure, figure, quantile, summary, timeEach } from './figure.ts';
import { residentMiB } from './processes.ts';

/** What a tool call costs over the REST call it makes, over stdio, alternating in one run. */
export async function mcpFigures(service: Service): Promise<Figure[]> {
  const desktop = await createReady(service);
  const client = new Client({ name: 'bench', version: '1.0.0' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [join(import.meta.dirname, '..', '..', 'mcp', 'bin.ts')],
    env: { PATH: process.env['PATH'] ?? '', LEBUREAU_BASE_URL: service.baseUrl, LEBUREAU_API_KEY: service.apiKey },
  });
  await client.connect(transport);
  try {
    const rest = () => call(service, 'GET', `/v1/desktops/${desktop.id}`);
    const tool = () => client.callTool({ name: 'desktops_get', arguments: { desktopId: desktop.id } });
    await timeEach(20, rest);
    await timeEach(20, tool);
    const restMs: number[] = [];
    const toolMs: number[] = [];
    for (let round = 0; round < 200; round++) {
      restMs.push(...(await timeEach(1, rest)));
      toolMs.push(...(await timeEach(1, tool)));
    }
    const added = quantile(toolMs, 0.5) - quantile(restMs, 0.5);
    return [
      figure('MCP tool call over the same REST call, p50', 'ms', {
        value: added,
        at: '<=',
        reach: 5,
        detail: { rest: summary(restMs), tool: summary(toolMs) },
      }),
    ];
  } finally {
    await client.close();
    await remove(service, desktop.id);
  }
}

/** Resident memory of API and hostd with no desktop, after they were used. */
export async function idleFigures(service: Service): Promise<Figure[]> {
  await Bun.sleep(15_000);
  const api = residentMiB(service.pid('api')!);
  const hostd = residentMiB(service.pid('hostd')!);
  return [
    figure('API and hostd idle, no desktop', 'MB', {
      value: (api + hostd) * 1.048_576,
      at: '<=',
      reach: 220,
      detail: { apiMiB: Math.round(api), hostdMiB: Math.round(hostd) },
    }),
  ];
}
