import { Fault } from '@lebureau/kit/fault';
import { expect, test } from 'vitest';
import { ApiAddresses } from './apiAddresses.ts';

const [a, b, c] = ['https://a:1', 'https://b:1', 'https://c:1'] as const;
const away = () => Promise.reject(new Fault('api_unreachable', 'away'));
const signal = new AbortController().signal;

test('one is used until it does not answer, then another one; each is tried before one is tried again', async () => {
  const addresses = new ApiAddresses({ configured: [a], learned: [b, c] });
  await addresses.ask(signal, () => Promise.resolve());
  expect(addresses.current).toBe(a);
  const tried = new Set<string>();
  for (let count = 0; count < 3; count++) {
    tried.add(addresses.current);
    await expect(addresses.ask(signal, away)).rejects.toThrow('away');
  }
  expect(tried).toEqual(new Set([a, b, c]));
  expect(addresses.current).not.toBe([...tried].at(-1));
});

test('what the API refuses is no reason to leave, and one address alone is never left', async () => {
  const addresses = new ApiAddresses({ configured: [a], learned: [b] });
  const refuse = () => Promise.reject(new Fault('epoch_superseded', 'over'));
  await expect(addresses.ask(signal, refuse)).rejects.toThrow('over');
  expect(addresses.current).toBe(a);
  const alone = new ApiAddresses({ configured: [a] });
  await expect(alone.ask(signal, away)).rejects.toThrow('away');
  expect(alone.current).toBe(a);
});

test('what waits at an address that died goes on elsewhere at once', async () => {
  const addresses = new ApiAddresses({ configured: [a], learned: [b] });
  const poll = addresses.ask(
    signal,
    (_, ending) =>
      new Promise((_resolve, reject) => ending.addEventListener('abort', () => reject(new Error('given up')))),
  );
  await expect(addresses.ask(signal, away)).rejects.toThrow('away');
  await expect(poll).rejects.toThrow('given up');
  expect(addresses.current).toBe(b);
});

test('the nodes of a replica that died spread over the others', () => {
  const chosen = [0, 0.4, 0.99].map((value) => {
    const addresses = new ApiAddresses({ configured: [a], learned: [b, c], random: () => value });
    addresses.failed(a);
    return addresses.current;
  });
  expect(chosen).toEqual([b, b, c]);
});

test('only addresses are learned, those configured stay, and nothing said changes nothing', () => {
  const addresses = new ApiAddresses({ configured: [a] });
  expect(addresses.learn(['http://b:1', 'unix:/run/x', 'https://user@b:1', b])).toBe(true);
  expect(addresses.learn([b])).toBe(false);
  expect(addresses.learn([])).toBe(false);
  addresses.failed(a);
  expect(addresses.current).toBe(b);
  expect(addresses.learn([c])).toBe(true);
  addresses.failed(b);
  expect([a, c]).toContain(addresses.current);
});
