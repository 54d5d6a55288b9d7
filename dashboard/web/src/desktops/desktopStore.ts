import type { DesktopData } from '@lebureau/sdk/types';
import { atom, map } from 'nanostores';
import { client, dataOf } from '../client.ts';
import { onEvent, onResync } from '../live.ts';

/** Every desktop that we may see, by id. */
export const desktops = map<Record<string, DesktopData>>({});
/** False until the list was read once. */
export const desktopsLoaded = atom(false);

const pageSize = 100;

/** Reads all of them, page by page. */
export async function loadDesktops(): Promise<void> {
  const all: Record<string, DesktopData> = {};
  let cursor: string | undefined;
  do {
    const page = await dataOf(client.GET('/v1/desktops', { params: { query: { limit: pageSize, cursor } } }));
    for (const desktop of page.data) all[desktop.id] = desktop;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  desktops.set(all);
  desktopsLoaded.set(true);
}

/** Reads one anew; it goes when it is gone. */
export async function refreshDesktop(id: string): Promise<void> {
  const { data, response } = await client.GET('/v1/desktops/{desktopId}', { params: { path: { desktopId: id } } });
  if (response.status === 404 || data?.status === 'destroyed') forget(id);
  else if (data) desktops.setKey(id, data);
}

export function keepDesktop(desktop: DesktopData): void {
  if (desktop.status === 'destroyed') forget(desktop.id);
  else desktops.setKey(desktop.id, desktop);
}

function forget(id: string): void {
  const { [id]: _gone, ...rest } = desktops.get();
  desktops.set(rest);
}

/** What is read anew soon; events come in bursts, and each desktop is asked for once a burst. */
const stale = new Set<string>();
let refreshing = false;

onEvent(({ desktopId, type }) => {
  if (desktopId === null || !type.startsWith('desktop.')) return;
  stale.add(desktopId);
  if (refreshing) return;
  refreshing = true;
  setTimeout(() => void refreshStale(), 60);
});
onResync(() => void loadDesktops().catch(() => undefined));

async function refreshStale(): Promise<void> {
  refreshing = false;
  const ids = [...stale];
  stale.clear();
  await Promise.all(ids.map((id) => refreshDesktop(id).catch(() => undefined)));
}
