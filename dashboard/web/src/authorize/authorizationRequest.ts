import { ApiProblem } from '../client.ts';
import { session } from '../session.ts';

/** A client that waits to be let in. */
export interface AuthorizationRequest {
  /** `url` is where its metadata lies, which vouches for its name; null: nobody does. */
  client: { id: string; name: string; url: string | null };
  redirect: { host: string; origin: string; isThisMachine: boolean };
  /** What it asks for, and whether the role of whoever looks could give it. */
  capabilities: { name: string; allowed: boolean }[];
}

/** @throws ApiProblem */
export async function readRequest(uid: string): Promise<AuthorizationRequest> {
  return asked(await fetch(`/gateway/authorization/${uid}/request`));
}

/** @param said `allow` nothing: no; `name` of the client as it was shown. @returns where to go on. @throws ApiProblem */
export async function decide(uid: string, said: { allow: readonly string[]; name: string }): Promise<string> {
  const answer = await fetch(`/gateway/authorization/${uid}/decision`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': session.get()?.csrfToken ?? '' },
    body: JSON.stringify(said),
  });
  return (await asked<{ continueTo: string }>(answer)).continueTo;
}

async function asked<Answer>(response: Response): Promise<Answer> {
  const body = (await response.json().catch(() => ({}))) as object;
  if (!response.ok) throw new ApiProblem(response.status, body);
  return body as Answer;
}
