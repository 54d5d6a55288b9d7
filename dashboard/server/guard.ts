import type { GatewayParts } from './gatewayParts.ts';
import { problem } from './problem.ts';
import { isCsrfToken, type SignedIn } from './sessions.ts';

const safeMethods = ['GET', 'HEAD'];

/**
 * Whether a request that a browser sends with our cookie was meant by one of our pages. A page of ours says where it is
 * (Origin, which no other page can forge) and shows the token of the session (which no other page can read).
 * @returns the refusal, or undefined
 */
export function refuseForeign(request: Request, who: SignedIn, { config }: GatewayParts): Response | undefined {
  const origin = request.headers.get('origin');
  if (origin !== null && origin !== config.publicOrigin)
    return problem(403, 'foreign_origin', 'Another site asked for this.');
  if (safeMethods.includes(request.method)) return undefined;
  if (origin === null) return problem(403, 'foreign_origin', 'The request does not say which page sent it.');
  if (isCsrfToken(request.headers.get('x-csrf-token'), who.csrfToken)) return undefined;
  return problem(403, 'csrf_token_missing', 'The page is out of date. Load it again.');
}

/** The same for what nobody needs to be signed in for: only Origin can tell. */
export function refuseForeignOrigin(request: Request, { config }: GatewayParts): Response | undefined {
  if (request.headers.get('origin') === config.publicOrigin) return undefined;
  return problem(403, 'foreign_origin', 'Another site asked for this.');
}
