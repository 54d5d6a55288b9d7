import { clientMetadataOf } from './clientMetadata.ts';
import { guardedFetch, resolveHost } from './guardedFetch.ts';

/** Small and fast, or not at all: somebody waits, and a stranger chose the address. */
const bytesMax = 16_384;
const limitMs = 4000;

/**
 * The metadata that a client_id names (draft-ietf-oauth-client-id-metadata-document), with nothing but what we take.
 * @throws Error that says what was refused
 */
export async function fetchDocument(url: string, allowLoopback: boolean): Promise<Response> {
  const guard = { resolve: resolveHost, allowLoopback, bytesMax, limitMs };
  const response = await guardedFetch(url, guard);
  const said = (await response.json()) as Record<string, unknown>;
  // The library looks at these: whose document it is, and that it holds no secret.
  const { client_id: clientId, client_secret: secret, token_endpoint_auth_method: method } = said;
  const taken = {
    ...clientMetadataOf(said),
    client_id: clientId,
    ...(secret === undefined ? {} : { client_secret: secret }),
    ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
  };
  return Response.json(taken, { headers: { 'cache-control': response.headers.get('cache-control') ?? '' } });
}
