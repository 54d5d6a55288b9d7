import { expect, test } from 'vitest';
import type { SignedIn } from '../sessions.ts';
import { mayResume } from './mayResume.ts';

const uid = 'a'.repeat(43);

/** In a browser with this session of `person`, after somebody answered with `result`. */
async function resumes(person: string | undefined, result: object | undefined, sessionId = 'ses_1') {
  const who = person === undefined ? undefined : ({ user: { id: person }, session: { id: sessionId } } as SignedIn);
  const sessions = { of: async () => who } as never;
  const ended: string[] = [];
  const calls = {
    find: async (kind: string, name: string) =>
      kind === 'request' && name === uid ? { payload: { result }, consumed: false } : undefined,
    end: async (grantId: string) => void ended.push(grantId),
    forget: async (kind: string, name: string) => void ended.push(`${kind} ${name}`),
  };
  const may = await mayResume({ request: new Request('http://localhost/') }, { calls, gateway: { sessions } }, uid);
  return [may, ...ended];
}

const yes = { login: { accountId: 'usr_1' }, consent: { grantId: 'grt_1' }, sessionId: 'ses_1' };

test('a code goes to the session in which somebody said yes, and to nobody else who knows the request', async () => {
  expect(await resumes('usr_1', yes)).toEqual([true]);
  // What was allowed for somebody who does not come for it ends.
  expect(await resumes('usr_1', yes, 'ses_2')).toEqual([false, 'grt_1', `request ${uid}`]);
  expect(await resumes('usr_2', yes, 'ses_2')).toEqual([false, 'grt_1', `request ${uid}`]);
  expect(await resumes('usr_2', yes)).toEqual([false, 'grt_1', `request ${uid}`]);
  expect(await resumes(undefined, yes)).toEqual([false, 'grt_1', `request ${uid}`]);
});

test('nor does a no', async () => {
  const no = { error: 'access_denied', sessionId: 'ses_1' };
  expect(await resumes('usr_1', no)).toEqual([true]);
  expect(await resumes('usr_1', no, 'ses_2')).toEqual([false]);
  expect(await resumes(undefined, no)).toEqual([false]);
});

test('before somebody answered there is nothing to go on with', async () => {
  for (const person of ['usr_1', undefined])
    for (const result of [undefined, {}, { login: {} }, { error: 'access_denied' }, { ...yes, sessionId: undefined }])
      expect((await resumes(person, result))[0], JSON.stringify(result)).toBe(false);
});
