import { Fault } from '@lebureau/kit/fault';
import { errors, type InteractionResults } from 'oidc-provider';
import { refuseForeign } from '../guard.ts';
import { problem } from '../problem.ts';
import type { SignedIn } from '../sessions.ts';
import type { Visit } from '../visit.ts';
import { hostOf, isLoopback } from './clientMetadata.ts';
import { bridge } from './nodeBridge.ts';
import type { GrantCapability } from './oauthCalls.ts';
import type { OauthParts } from './oauthParts.ts';
import { scopes, scopesOf } from './scopes.ts';

/** An authorization request that waits for somebody to say yes or no. */
interface Asked {
  client: {
    name: string;
    /** Where the document lies that names it, whole: a host may serve files of many. Null: the client said it of itself. */
    url: string | null;
    id: string;
  };
  redirect: { host: string; origin: string; isThisMachine: boolean };
  capabilities: GrantCapability[];
}

type Interaction = Awaited<ReturnType<OauthParts['provider']['interactionDetails']>>;

const bodyBytesMax = 4096;

/** What the page shows. It is asked for by a page of ours, in the browser that the request came in with. */
export async function answerRequest(visit: Visit, parts: OauthParts, uid: string): Promise<Response> {
  const who = await parts.gateway.sessions.of(visit.request);
  if (who === undefined) return problem(401, 'unauthenticated', 'Sign in first.');
  const refused = refuseForeign(visit.request, who, parts.gateway);
  if (refused) return refused;
  const found = await requestOf(visit, parts, uid);
  if (found === undefined) return gone();
  const mine = await capabilitiesOf(who, parts);
  const capabilities = found.asked.capabilities.map((name) => ({ name, allowed: mine.includes(name) }));
  return Response.json({ ...found.asked, capabilities }, { headers: { 'Cache-Control': 'no-store' } });
}

/** `allow`: what the person left ticked; nothing: they said no. `name`: what the page called the client. */
export async function decide(visit: Visit, parts: OauthParts, uid: string): Promise<Response> {
  const { request } = visit;
  const who = await parts.gateway.sessions.of(request);
  if (who === undefined) return problem(401, 'unauthenticated', 'Sign in first.');
  const refused = refuseForeign(request, who, parts.gateway);
  if (refused) return refused;
  const decision = await decisionIn(request);
  if (decision === undefined) return problem(400, 'invalid_request', 'A JSON body with `allow` and `name` is wanted.');
  const found = await requestOf(visit, parts, uid);
  if (found === undefined) return gone();
  const capabilities = found.asked.capabilities.filter((each) => decision.allow.includes(each));
  // A document can change between the page and the answer: what is written down is what the person read.
  if (capabilities.length > 0 && decision.name !== found.asked.client.name)
    return problem(
      409,
      'wrong_state',
      'The client calls itself something else by now. Reload the page and look again.',
    );
  try {
    const result =
      capabilities.length === 0
        ? { error: 'access_denied', error_description: 'the person said no', sessionId: who.session.id }
        : await granted(parts, { who, asked: found.asked, capabilities });
    const { incoming, outgoing } = bridged(visit, parts);
    const continueTo = await parts.provider.interactionResult(incoming, outgoing, result, {
      mergeWithLastSubmission: false,
    });
    return Response.json({ continueTo }, { headers: { 'Cache-Control': 'no-store' } });
  } catch (error) {
    if (error instanceof Fault && error.code === 'capability_missing') return problem(403, error.code, error.message);
    throw error;
  }
}

/** What the person may themselves, as the API says. @throws Fault `unavailable` */
async function capabilitiesOf(who: SignedIn, { gateway }: OauthParts): Promise<readonly string[]> {
  const authorization = await gateway.assertions.bearerOf(who);
  const answer = await fetch(`${gateway.config.apiUrl}/v1/me`, {
    headers: { authorization },
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined);
  if (!answer?.ok) throw new Fault('unavailable', 'The API did not answer as it should.');
  return ((await answer.json()) as { capabilities: string[] }).capabilities;
}

async function granted(
  { calls, resource }: OauthParts,
  yes: { who: SignedIn; asked: Asked; capabilities: GrantCapability[] },
): Promise<InteractionResults> {
  const { who, asked, capabilities } = yes;
  const { grant } = await calls.allow({
    userId: who.user.id,
    sessionId: who.session.id,
    clientId: asked.client.id,
    clientName: asked.client.name,
    redirectHost: asked.redirect.host,
    resource,
    capabilities,
  });
  const sessionId = who.session.id;
  return { login: { accountId: who.user.id, remember: false }, consent: { grantId: grant.id }, sessionId };
}

/** Undefined when this browser did not bring it, or too long ago. */
async function requestOf(visit: Visit, parts: OauthParts, uid: string): Promise<{ asked: Asked } | undefined> {
  const { incoming, outgoing } = bridged(visit, parts);
  const interaction = await parts.provider.interactionDetails(incoming, outgoing).catch(noneIfNotFound);
  if (interaction?.uid !== uid) return undefined;
  const { client_id: clientId, redirect_uri: redirectUri, scope } = interaction.params as Record<string, string>;
  const client = await parts.provider.Client.find(clientId!).catch(noneIfNotGood);
  if (client === undefined) return undefined;
  const redirect = new URL(redirectUri!);
  const asked: Asked = {
    client: {
      id: clientId!,
      name: client.clientName ?? hostOf(redirect),
      // As a browser writes it: no letter looks like another one.
      url: URL.parse(clientId!)?.href ?? null,
    },
    redirect: {
      host: hostOf(redirect),
      origin: redirect.origin === 'null' ? redirect.protocol : redirect.origin,
      isThisMachine: isLoopback(redirect),
    },
    capabilities: scopesOf(scope ?? ''),
  };
  return { asked };
}

function noneIfNotFound(error: unknown): Interaction | undefined {
  if (error instanceof errors.SessionNotFound) return undefined;
  throw error;
}

/** Its document went away meanwhile, or is not good any more. */
function noneIfNotGood(error: unknown): undefined {
  if (error instanceof errors.InvalidClient || error instanceof errors.InvalidClientMetadata) return undefined;
  throw error;
}

/** Of the request only the cookies matter here. */
function bridged({ request }: Visit, parts: OauthParts) {
  const headers = { cookie: request.headers.get('cookie') ?? '' };
  return bridge(parts.gateway.config.publicOrigin, { method: 'GET', target: '/', headers });
}

interface Decision {
  allow: readonly string[];
  name: string;
}

async function decisionIn(request: Request): Promise<Decision | undefined> {
  if (Number(request.headers.get('content-length') ?? bodyBytesMax + 1) > bodyBytesMax) return undefined;
  const body = (await request.json().catch(() => undefined)) as { allow?: unknown; name?: unknown } | undefined;
  if (!Array.isArray(body?.allow) || typeof body.name !== 'string') return undefined;
  const known: readonly unknown[] = scopes;
  return body.allow.every((each) => known.includes(each)) ? { allow: body.allow, name: body.name } : undefined;
}

function gone(): Response {
  return problem(404, 'not_found', 'This request was not begun in this browser, or too long ago. Connect again.');
}
