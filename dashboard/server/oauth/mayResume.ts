import type { Visit } from '../visit.ts';
import type { OauthParts } from './oauthParts.ts';

/**
 * Whether the code may go to the browser that comes for it: it must be signed in as who said yes. That it knows the
 * request is not enough, for a neighbour on the same domain can plant the cookie of a request that it began itself.
 * A no may be fetched by whoever knows the request.
 */
export async function mayResume(
  { request }: Pick<Visit, 'request'>,
  { calls, gateway }: { calls: Pick<OauthParts['calls'], 'find'>; gateway: Pick<OauthParts['gateway'], 'sessions'> },
  uid: string,
): Promise<boolean> {
  const kept = await calls.find('request', uid);
  const result = kept?.payload['result'] as { error?: string; login?: { accountId?: string } } | undefined;
  if (result?.error !== undefined) return true;
  const who = await gateway.sessions.of(request);
  return who !== undefined && result?.login?.accountId === who.user.id;
}
