import { expect, test } from 'vitest';
import { previewDomainOf } from './previewDomain.ts';

const of = (previewDomain: string | undefined, publicOrigin: string, lan = false) =>
  previewDomainOf({ previewDomain, publicOrigin, lan, tls: undefined });

test('previews are another site than the dashboard', () => {
  for (const [domain, dashboard] of [
    ['preview.example.org', 'https://office.example.org'],
    ['office.example.org', 'https://office.example.org'],
    ['preview.office.example.org', 'https://office.example.org'],
    ['example.org', 'https://office.example.org'],
    ['preview.example.org', 'https://example.org'],
    ['preview.example.co.uk', 'https://office.example.co.uk'],
    ['preview.corp.lan', 'https://office.corp.lan'],
  ] as const)
    expect(() => of(domain, dashboard), domain).toThrow(/same site as the dashboard .* registered for previews alone/);
  for (const [domain, dashboard] of [
    ['example-preview.org', 'https://office.example.org'],
    ['previews.co.uk', 'https://office.co.uk'],
    ['mine.github.io', 'https://yours.github.io'],
    ['preview.localhost', 'http://localhost:7000'],
    ['preview.localhost', 'http://127.0.0.1:7000'],
    ['preview.lan', 'https://office.lan'],
  ] as const)
    expect(of(domain, dashboard)).toBe(domain);
});

test('without a domain there are none, and the certificate for the local network covers none', () => {
  expect(of(undefined, 'https://office.example.org')).toBe(undefined);
  expect(() => of('example-preview.org', 'https://192.168.1.5:7000', true)).toThrow('LEBUREAU_TLS_CERTIFICATE');
});
