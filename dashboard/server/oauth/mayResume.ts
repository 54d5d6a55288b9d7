import type { Visit } from '../visit.ts';
import type { OauthParts } from './oauthParts.ts';

/** What somebody answered, as the library keeps it with the request. `sessionId` is ours: in which session. */
export interface Answered {
  sessionId: string;
  error?: string;
  login?: { accountId?: string };
  consent?: { grantId?: string };
}

/**
 * Whether what was answered may go to the browser that comes for it: a code and a no alike only to the session in which it
 * was said. That a browser knows the request is not enough, for a neighbour on the same domain can plant the cookie of a
 * request that it began itself; nor is the person, who may be signed in elsewhere. Where another one comes, what was
 * allowed ends with the request: whoever asked must ask again.
 */
export async function mayResume(
  { request }: Pick<Visit, 'request'>,
  {
    calls,
    gateway,
  }: { calls: Pick<OauthParts['calls'], 'find' | 'end' | 'forget'>; gateway: Pick<OauthParts['gateway'], 'sessions'> },
  uid: string,
): Promise<boolean> {
  const kept = await calls.find('request', uid);
  const result = kept?.payload['result'] as Partial<Answered> | undefined;
  const who = await gateway.sessions.of(request);
  const isSame = who !== undefined && result?.sessionId === who.session.id;
  if (isSame && (result.error !== undefined || result.login?.accountId === who.user.id)) return true;
  const grantId = result?.consent?.grantId;
  if (grantId !== undefined) {
    await calls.end(grantId);
    await calls.forget('request', uid);
  }
  return false;
}
