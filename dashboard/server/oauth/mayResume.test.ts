import { expect, test } from 'vitest';
import type { SignedIn } from '../sessions.ts';
import { mayResume } from './mayResume.ts';

const uid = 'a'.repeat(43);

/** In a browser that is signed in as `person`, after somebody answered with `result`. */
function resumes(person: string | undefined, result: object | undefined): Promise<boolean> {
  const who = person === undefined ? undefined : ({ user: { id: person } } as SignedIn);
  const sessions = { of: async () => who } as never;
  const find = async (kind: string, name: string) =>
    kind === 'request' && name === uid ? { payload: { result }, consumed: false } : undefined;
  return mayResume({ request: new Request('http://localhost/') }, { calls: { find }, gateway: { sessions } }, uid);
}

test('a code goes to who said yes, and to nobody else who knows the request', async () => {
  const yes = { login: { accountId: 'usr_1' }, consent: { grantId: 'grt_1' } };
  expect(await resumes('usr_1', yes)).toBe(true);
  expect(await resumes('usr_2', yes)).toBe(false);
  expect(await resumes(undefined, yes)).toBe(false);
});

test('before somebody answered there is nothing to go on with, and a no is no secret', async () => {
  for (const person of ['usr_1', undefined]) {
    expect(await resumes(person, undefined)).toBe(false);
    expect(await resumes(person, { login: {} })).toBe(false);
    expect(await resumes(person, { error: 'access_denied' })).toBe(true);
  }
});
