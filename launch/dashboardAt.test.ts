import { expect, test } from 'vitest';
import { readLaunchConfig } from './config.ts';
import { dashboardAt } from './dashboardAt.ts';

const at = (environment: Record<string, string>, lan = false) => dashboardAt(readLaunchConfig(environment), lan);

test('on this machine alone unless it is said otherwise', () => {
  expect(at({ LEBUREAU_DASHBOARD_PORT: '7005' })).toEqual({
    listen: '127.0.0.1:7005',
    asked: 'http://127.0.0.1:7005',
    shown: 'http://localhost:7005',
  });
  expect(at({}, true).asked).toBe('https://127.0.0.1:7000');
});

test('with a name and a certificate it listens where it is told, and people are shown the name', () => {
  const environment = {
    LEBUREAU_PUBLIC_URL: 'https://desk.example.org',
    LEBUREAU_GATEWAY_LISTEN: '0.0.0.0:443',
    LEBUREAU_TLS_CERTIFICATE: '/etc/ssl/desk.pem',
    LEBUREAU_TLS_KEY: '/etc/ssl/desk.key',
  };
  expect(at(environment)).toEqual({
    listen: '0.0.0.0:443',
    asked: 'https://127.0.0.1:443',
    shown: 'https://desk.example.org',
  });
  expect(at({ LEBUREAU_GATEWAY_LISTEN: '[::1]:8000' }).asked).toBe('http://[::1]:8000');
});
