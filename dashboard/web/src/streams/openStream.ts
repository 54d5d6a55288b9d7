import { client, dataOf } from '../client.ts';

type Wish =
  | { kind: 'vnc'; mode: 'view' | 'control' }
  | { kind: 'terminal'; terminalName: string; columns: number; rows: number };

/** Gets a ticket and opens the socket with it, at once: it is good for half a minute. @throws ApiProblem */
export async function openStream(desktopId: string, wish: Wish): Promise<WebSocket> {
  const params = { path: { desktopId } };
  const made = await dataOf(client.POST('/v1/desktops/{desktopId}/streams', { params, body: wish }));
  const address = new URL(made.path, location.origin.replace(/^http/, 'ws'));
  address.searchParams.set('ticket', made.ticket ?? '');
  const socket = new WebSocket(address);
  socket.binaryType = 'arraybuffer';
  return socket;
}
