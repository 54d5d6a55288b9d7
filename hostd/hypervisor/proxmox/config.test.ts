import { expect, test } from 'vitest';
import { readHostdConfig } from '../../config.ts';

const given = {
  LEBUREAU_DRIVER: 'proxmox',
  LEBUREAU_PVE_URL: 'https://pve1.example:8006',
  LEBUREAU_PVE_NODE: 'pve1',
  LEBUREAU_PVE_TOKEN: 'lebureau@pve!hostd=01234567-89ab-cdef-0123-456789abcdef',
};

test('three variables are enough, and the others have their say', () => {
  expect(readHostdConfig(given).proxmox).toMatchObject({
    node: 'pve1',
    bridge: 'vmbr1',
    pool: 'lebureau',
    vmids: { first: 100_000, last: 160_000 },
    guestNetwork: { cidr: '10.77.0.0/16', gateway: '10.77.0.1', resolver: '9.9.9.9', blocked: [] },
  });
  const more = {
    ...given,
    LEBUREAU_RESOLVER: '10.0.0.53',
    LEBUREAU_PVE_VMID_RANGE: '200-300',
    LEBUREAU_PVE_BLOCKED: '203.0.113.0/24, 198.51.100.7',
    LEBUREAU_PVE_UNLOCK_COMMAND: 'sudo -n unlock {vmid}',
  };
  expect(readHostdConfig(more).proxmox).toMatchObject({
    vmids: { first: 200, last: 300 },
    guestNetwork: { resolver: '10.0.0.53', blocked: ['203.0.113.0/24', '198.51.100.7'] },
    unlockCommand: ['sudo', '-n', 'unlock', '{vmid}'],
  });
  expect(readHostdConfig({}).proxmox).toBeUndefined();
});

test.each([
  [{ LEBUREAU_PVE_URL: undefined }, 'wants LEBUREAU_PVE_URL'],
  [{ LEBUREAU_PVE_URL: 'http://pve1.example:8006' }, 'wants https'],
  [{ LEBUREAU_PVE_TOKEN: 'secret' }, 'wants USER@REALM!NAME=UUID'],
  [{ LEBUREAU_PVE_FINGERPRINT: 'AA:BB' }, '32 pairs'],
  [{ LEBUREAU_PVE_VMID_RANGE: '300-200' }, 'wants FIRST-LAST'],
  [{ LEBUREAU_PVE_NETWORK: '10.77.0.0/24' }, 'no room'],
  [{ LEBUREAU_PVE_UNLOCK_COMMAND: 'qm unlock' }, '{vmid}'],
])('%o is refused', (change, why) => {
  expect(() => readHostdConfig({ ...given, ...change })).toThrow(why);
});
