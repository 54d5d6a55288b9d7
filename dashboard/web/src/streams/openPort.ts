import { client, dataOf } from '../client.ts';

/**
 * Shows a port of a desktop in a tab of its own. A ticket takes who is signed in to the origin of that port; nothing of ours
 * goes there, and the tab knows nothing of this one. @throws ApiProblem
 */
export async function openPort(desktopId: string, port: number, previewHost: string): Promise<void> {
  // At once: browsers open no tab later than a moment after the click.
  const tab = window.open('about:blank', '_blank');
  if (tab) tab.opener = null;
  try {
    const params = { path: { desktopId } };
    const body = { kind: 'port', port } as const;
    const { ticket = '' } = await dataOf(client.POST('/v1/desktops/{desktopId}/streams', { params, body }));
    const label = `${port}-${desktopId.replace('dsk_', '')}`;
    const address = `${location.protocol}//${label}.${previewHost}/.lebureau/open?ticket=${ticket}`;
    if (tab) tab.location.replace(address);
    else location.assign(address);
  } catch (error) {
    tab?.close();
    throw error;
  }
}
