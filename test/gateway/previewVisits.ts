import type { Service } from '../system/product.ts';
import { asPage, signInByLink, type Visitor } from './browser.ts';

/**
 * What a browser does with previews, step by step.
 * @param usual whose port 8080 is asked, with which cookie, where nothing else is said
 */
export function previewVisits(
  at: () => { service: Service; owner: Visitor },
  usual: () => { desktop: string; cookie: string },
) {
  const hostOf = (id: string, port: number) =>
    `${port}-${id.slice(4)}.preview.localhost:${new URL(at().service.publicUrl).port}`;
  const originOf = (id: string, port: number) => `http://${hostOf(id, port)}`;
  /** As a browser asks that origin, with what it keeps for it. */
  const ask = (
    path: string,
    more: Omit<RequestInit, 'headers'> & { host?: string; headers?: Record<string, string> } = {},
  ) => {
    const { host = hostOf(usual().desktop, 8080), headers, ...rest } = more;
    return fetch(`http://127.0.0.1:${new URL(at().service.publicUrl).port}${path}`, {
      redirect: 'manual',
      ...rest,
      headers: { cookie: usual().cookie, ...headers, host },
    });
  };
  async function ticketFor(id: string, port: number, visitor = at().owner): Promise<string> {
    const path = `/v1/desktops/${id}/streams`;
    const made = await asPage(at().service, visitor, { method: 'POST', path, body: { kind: 'port', port } });
    return ((await made.json()) as { ticket: string }).ticket;
  }
  /** The three steps of a browser that comes from the page of the desktop: where they end, and what it sets. */
  async function open(
    ticket: string,
    to: { id: string; port: number; visitor?: Visitor },
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const host = hostOf(to.id, to.port);
    const begun = await ask(`/.lebureau/open?ticket=${ticket}`, { host, headers: { cookie: '', ...headers } });
    if (begun.status !== 303) return begun;
    const admitted = await admit(begun.headers.get('location')!, to.visitor ?? at().owner, headers);
    const code = admitted.headers.get('location');
    if (!code?.includes('/.lebureau/enter?')) return admitted;
    return bring(code, begun, headers);
  }
  const admit = (location: string, { cookie: theirs }: { cookie: string }, headers: Record<string, string> = {}) =>
    fetch(location, { redirect: 'manual', headers: { ...headers, cookie: theirs } });
  /** To the origin that the code is for, with what was set where the way began. */
  const bring = (code: string, begun: Response, headers: Record<string, string> = {}) => {
    const { host, pathname, search } = new URL(code);
    return ask(pathname + search, { host, headers: { ...headers, cookie: cookieIn(begun) } });
  };
  const cookieIn = (response: Response) => (response.headers.getSetCookie()[0] ?? '').split(';')[0]!;
  const enter = async (id: string, port: number, visitor = at().owner): Promise<string> =>
    cookieIn(await open(await ticketFor(id, port, visitor), { id, port, visitor }));
  const member = async (): Promise<Visitor> => {
    const invited = { method: 'POST', path: '/v1/sign-in-links', body: { role: 'member' } };
    const { token } = (await (await asPage(at().service, at().owner, invited)).json()) as { token: string };
    return signInByLink(at().service, token);
  };
  return { hostOf, originOf, ask, ticketFor, open, admit, bring, cookieIn, enter, member };
}
