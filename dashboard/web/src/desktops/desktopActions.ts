import type { DesktopData } from '@lebureau/sdk/types';
import { client, dataOf } from '../client.ts';
import { keepDesktop } from './desktopStore.ts';

/** What `allowedActions` names and a click does. */
export type Action = 'start' | 'stop' | 'restart' | 'delete';

export async function act(desktop: DesktopData, action: Action): Promise<void> {
  const params = { path: { desktopId: desktop.id } };
  const changed = {
    start: () => dataOf(client.POST('/v1/desktops/{desktopId}/start', { params })),
    stop: () => dataOf(client.POST('/v1/desktops/{desktopId}/stop', { params })),
    restart: () => dataOf(client.POST('/v1/desktops/{desktopId}/restart', { params })),
    delete: () => dataOf(client.DELETE('/v1/desktops/{desktopId}', { params })),
  }[action];
  keepDesktop(await changed());
}
