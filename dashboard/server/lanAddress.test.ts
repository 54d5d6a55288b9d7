import { expect, test } from 'vitest';
import { lanAddress } from './lanAddress.ts';

const at = (address: string, more: object = {}) => [{ address, family: 'IPv4', internal: false, ...more }] as never;

test('the address of the local network is found among the others', () => {
  expect(
    lanAddress({ lo: at('127.0.0.1', { internal: true }), docker0: at('172.17.0.1'), eth0: at('192.168.1.7') }),
  ).toBe('192.168.1.7');
  expect(lanAddress({ eth0: at('203.0.113.5'), wlan0: at('10.0.0.9') })).toBe('10.0.0.9');
  expect(lanAddress({ eth0: at('203.0.113.5') })).toBe('203.0.113.5');
  expect(() => lanAddress({ lo: at('127.0.0.1', { internal: true }) })).toThrow('no address');
});
