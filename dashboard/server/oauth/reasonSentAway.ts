import { paths } from './authorizationServer.ts';

/** Why a browser would be sent away from us before anybody was asked; undefined: it stays. */
export function reasonSentAway(location: string | null, publicOrigin: string): string | undefined {
  if (location === null) return undefined;
  const { origin, pathname, searchParams, hash } = new URL(location, publicOrigin);
  // By path, too: a client may say that it lives at our own origin.
  if (origin === publicOrigin && (pathname.startsWith(`${paths.ask}/`) || pathname.startsWith('/app/authorize/')))
    return undefined;
  const inHash = new URLSearchParams(hash.slice(1));
  const said = (name: string) => searchParams.get(name) ?? inHash.get(name);
  return said('error_description') ?? said('error') ?? 'The request of the client is not good.';
}
