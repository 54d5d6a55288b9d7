import { expect, test } from 'vitest';
import { loopbackOnly } from './loopbackOnly.ts';

/** As kernels write them. */
const tables = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15 1 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 16 1 0
   2: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 17 1 0
   3: 0F02000A:1388 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 18 1 0
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000001000000:1435 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: 0000000000000000FFFF00000100007F:1389 00000000000000000000000000000000:0000 0A 00000000:00000000
   3: 0000000000000000FFFF00000F02000A:138A 00000000000000000000000000000000:0000 0A 00000000:00000000
`;

test('only what listens on the loopback and nowhere else', () => {
  const of = (port: number) => loopbackOnly(tables, port);
  expect([8080, 5173, 5001].map(of)).toEqual([true, true, true]);
  // On all addresses; on one of each; a connection and no listener; another address; nothing; no table.
  expect([22, 3000, 5000, 5002, 81].map(of)).toEqual([false, false, false, false, false]);
  expect(loopbackOnly('', 8080)).toBe(false);
});
