import { describeError } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { Away } from './away.ts';
import { clientMetadataOf } from './clientMetadata.ts';
import { guardedFetch, resolveHost } from './guardedFetch.ts';

/** Small and fast, or not at all: somebody waits, and a stranger chose the address. */
const bytesMax = 16_384;
const limitMs = 4000;

/** A stranger reads it: it is the same for a name that is none, one of the inside, and one that does not answer well. */
const notFetched = 'its document could not be fetched, or is not JSON';

/**
 * The metadata that a client_id names (draft-ietf-oauth-client-id-metadata-document), with nothing but what we take.
 * @throws Away when its host does not answer; Error that says what was refused
 */
export async function fetchDocument(
  url: string,
  { allowLoopback, log }: { allowLoopback: boolean; log: Pick<Log, 'info'> },
): Promise<Response> {
  const { said, cacheControl } = await read(url, allowLoopback).catch((error: unknown) => {
    log.info('no document of a client', { url, error: describeError(error) });
    throw error instanceof Away ? new Away(notFetched) : new Error(notFetched);
  });
  // The library looks at these: whose document it is, and that it holds no secret.
  const { client_id: clientId, client_secret: secret, token_endpoint_auth_method: method } = said;
  const taken = {
    ...clientMetadataOf(said),
    client_id: clientId,
    ...(secret === undefined ? {} : { client_secret: secret }),
    ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
  };
  return Response.json(taken, { headers: { 'cache-control': cacheControl } });
}

async function read(url: string, allowLoopback: boolean) {
  const response = await guardedFetch(url, { resolve: resolveHost, allowLoopback, bytesMax, limitMs });
  return {
    said: (await response.json()) as Record<string, unknown>,
    cacheControl: response.headers.get('cache-control') ?? '',
  };
}
