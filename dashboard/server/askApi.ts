import { Fault } from '@lebureau/kit/fault';
import type { Assertions } from './assertions.ts';

const limitMs = 15_000;

/** Asks the API as the gateway itself. */
export type AskApi = <Answer>(path: string, body: object) => Promise<Answer>;

/** A POST each. @throws Fault of the API's code for 403, 404 and `ticket_refused`, else `unavailable` */
export function askApi(apiUrl: string, assertions: Assertions): AskApi {
  return async <Answer>(path: string, body: object) => {
    const authorization = `Bearer ${await assertions.of('gateway')}`;
    const response = await fetch(apiUrl + path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(limitMs),
    }).catch((cause: unknown) => {
      throw new Fault('unavailable', 'The API cannot be reached.', { cause });
    });
    if (response.ok) return (response.status === 204 ? undefined : await response.json()) as Answer;
    const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; hint?: string };
    if (response.status === 403 || response.status === 404 || problem.code === 'ticket_refused')
      throw new Fault(problem.code ?? 'not_found', problem.detail ?? '', { hint: problem.hint });
    throw new Fault('unavailable', 'The API did not answer as it should.', {
      cause: new Error(`${response.status} ${problem.code ?? ''}`),
    });
  };
}

/** What is asked for; undefined where the API knows of none. */
export async function orNone<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Fault && error.code === 'not_found') return undefined;
    throw error;
  }
}
