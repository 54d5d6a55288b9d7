import { makeCertificates } from '@lebureau/test/pve/certificate';
import { expect, test } from 'vitest';
import { trustLearned, trustSaid } from './apiTrust.ts';

const [one, two, evil] = [makeCertificates().ca, makeCertificates().ca, makeCertificates().ca];

test('what the API says takes the place of what was trusted, each certificate alone', () => {
  const joined = { authority: one };
  expect(trustSaid(joined)).toMatchObject({ generation: 0, fingerprints: [expect.stringMatching(/^[0-9a-f]{64}$/)] });
  const both = trustLearned(joined, { generation: 2, certificates: [one, `${two}\n${evil}`] })!;
  expect(trustSaid(both)).toMatchObject({ generation: 2 });
  expect(trustSaid(both).fingerprints).toEqual([
    ...trustSaid(joined).fingerprints,
    ...trustSaid({ authority: two }).fingerprints,
  ]);
  const last = trustLearned(both, { generation: 2, certificates: [two] })!;
  expect(trustSaid(last)).toEqual({ generation: 2, fingerprints: trustSaid({ authority: two }).fingerprints });
});

test('a replica that is behind, an empty list and what is no certificate change nothing', () => {
  const now = { authority: two, authorityGeneration: 2 };
  expect(trustLearned(now, { generation: 1, certificates: [one] })).toBeUndefined();
  expect(trustLearned(now, { generation: 3, certificates: [] })).toBeUndefined();
  expect(trustLearned(now, undefined)).toBeUndefined();
  expect(() => trustLearned(now, { generation: 3, certificates: ['nothing'] })).toThrow(/PEM|certificate|asn1/i);
});
