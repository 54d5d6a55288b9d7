import { expect, test } from 'vitest';
import { reasonSentAway } from './reasonSentAway.ts';

const reasonOf = (location: string | null) => reasonSentAway(location, 'https://desk.example.org');

test('before anybody was asked a browser goes to the page that asks or to the one that refuses', () => {
  for (const location of [null, '/app/authorize/refused', `https://desk.example.org/gateway/authorization/abc`])
    expect(reasonOf(location), String(location)).toBeUndefined();
});

test.each([
  ['https://phish.example/back?error=invalid_request&error_description=no+PKCE', 'no PKCE'],
  ['https://phish.example/back#error=invalid_target', 'invalid_target'],
  ['https://phish.example/gateway/authorization/abc', 'not good'],
  ['//phish.example/app/authorize/refused', 'not good'],
  ['https://desk.example.org/app/settings?error=access_denied', 'access_denied'],
  ['mailto:somebody@example.org?error=invalid_request', 'invalid_request'],
])('nobody is sent to %s', (location, reason) => {
  expect(reasonOf(location)).toContain(reason);
});
