import { expect, test } from 'vitest';
import { clientMetadataOf } from './clientMetadata.ts';

const of = (...redirect_uris: unknown[]) => clientMetadataOf({ client_name: 'An agent', redirect_uris });

test('of what a client says of itself its name and where it is sent back to are taken, and nothing else', () => {
  const said = {
    client_name: 'An agent',
    redirect_uris: ['http://127.0.0.1/callback', 'agent.example:/back'],
    jwks_uri: 'http://169.254.169.254/',
    sector_identifier_uri: 'https://inside.example/',
    logo_uri: 'https://tracker.example/',
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['client_credentials'],
    scope: 'keys:write',
  };
  expect(clientMetadataOf(said)).toEqual({
    client_name: 'An agent',
    redirect_uris: said.redirect_uris,
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  });
  expect(of('https://client.example/back').application_type).toBe('web');
});

test.each([
  'http://client.example/back',
  'http://127.0.0.1.evil.example/back',
  'http://10.0.0.1/back',
  'http://[::ffff:127.0.0.1]/back',
  'https://client.example/back#part',
  'https://user:word@client.example/back',
  'javascript:alert(1)',
  'data:text/html,x',
  'blob:https://client.example/1',
  'file:///etc/passwd',
  'view-source:https://client.example',
  'wss://client.example/',
  '/back',
  ' https://client.example/back',
  'https://client.example/back\n',
  'https://client.example/b\tack',
  'https://cli\u0435nt.example/back',
  7,
  `https://client.example/${'a'.repeat(500)}`,
])('nobody is sent back to %s', (uri) => {
  expect(() => of(uri)).toThrow('redirect_uris');
  expect(() => of('https://client.example/back', uri)).toThrow('redirect_uris');
});

test('a place is kept as it was given, for that is what is asked with', () => {
  const given = [
    'http://localhost:8080',
    'https://client.example',
    'HTTPS://Client.example/a/../back',
    'app.example:back',
  ];
  expect(of(...given).redirect_uris).toEqual(given);
});

test('there are some places to be sent back to, and not many', () => {
  expect(() => of()).toThrow('1 to 10');
  expect(() => of(...Array<string>(11).fill('https://client.example/back'))).toThrow('1 to 10');
  for (const said of [null, 'x', {}, { redirect_uris: 'https://client.example/' }])
    expect(() => clientMetadataOf(said)).toThrow(/wanted|must be/);
});

test('a name is one line of what can be seen', () => {
  const name = (client_name: unknown) =>
    clientMetadataOf({ client_name, redirect_uris: ['https://client.example/back'] }).client_name;
  expect(name('  An\u202Eagent\u0000\n\u200Bof mine ')).toBe('An agent of mine');
  expect(name('a'.repeat(1000))).toHaveLength(80);
  for (const none of [undefined, 7, '', '\u200B \u2028']) expect(name(none)).toBe('client.example');
});
