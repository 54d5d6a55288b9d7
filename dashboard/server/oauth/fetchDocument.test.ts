import { expect, test } from 'vitest';
import { fetchDocument } from './fetchDocument.ts';

test('why a document is not fetched stands in the log, and is not told', async () => {
  const logged: string[] = [];
  const log = { info: (_message: string, fields?: object) => void logged.push(JSON.stringify(fields)) };
  const told = new Set<string>();
  const all = ['https://10.0.0.1/client.json', 'https://203.0.114.7:8443/', 'https://[::1]/', 'http://203.0.114.7/'];
  for (const url of all)
    await fetchDocument(url, { allowLoopback: false, log }).catch((error: Error) => told.add(error.message));
  expect([...told]).toEqual(['its document could not be fetched, or is not JSON']);
  expect(logged).toHaveLength(all.length);
  expect(logged.join('\n')).toMatch(/10\.0\.0\.1 is no host.*\n.*port 443.*\n.*::1 is no host.*\n.*only https/);
});
