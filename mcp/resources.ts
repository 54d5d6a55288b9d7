import type { LeBureau } from '@lebureau/sdk';
import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/server';
import type { Settings } from './settings.ts';

/** Desktops as resources, for clients that show them. Tools do the same: desktops_list, desktops_get, desktop_screenshot. */
export function addResources(server: McpServer, bureau: LeBureau, settings: Settings): void {
  if (settings.desktopId !== undefined) return;
  const json = 'application/json';
  server.registerResource('desktops', 'lebureau://desktops', { title: 'Desktops', mimeType: json }, async (uri) => {
    const page = await bureau.desktops.list({ limit: 100 });
    return {
      contents: [{ uri: uri.href, mimeType: json, text: JSON.stringify(page.data.map((desktop) => desktop.data)) }],
    };
  });
  const complete = { desktopId: (value: string) => completeDesktopId(bureau, value) };
  const one = new ResourceTemplate('lebureau://desktops/{desktopId}', { list: undefined, complete });
  server.registerResource('desktop', one, { title: 'One desktop', mimeType: json }, async (uri, { desktopId }) => {
    const desktop = await bureau.desktops.get(String(desktopId));
    return { contents: [{ uri: uri.href, mimeType: json, text: JSON.stringify(desktop.data) }] };
  });
  const screen = new ResourceTemplate('lebureau://desktops/{desktopId}/screenshot', { list: undefined, complete });
  server.registerResource(
    'screenshot',
    screen,
    { title: 'Screen of a desktop', mimeType: 'image/webp' },
    async (uri, { desktopId }) => {
      const picture = await bureau.desktop(String(desktopId)).computer.screenshot({ format: 'webp' });
      return { contents: [{ uri: uri.href, mimeType: picture.mimeType, blob: picture.base64 }] };
    },
  );
}

/** Ids and names that begin with what was typed, 20 at most. */
export async function completeDesktopId(bureau: LeBureau, typed: string): Promise<string[]> {
  const page = await bureau.desktops.list({ limit: 100 }, { timeoutMs: 5000, retriesMax: 0 });
  const found = page.data.filter(({ id, data }) => id.startsWith(typed) || data.name.startsWith(typed));
  return found.slice(0, 20).map((desktop) => desktop.id);
}
