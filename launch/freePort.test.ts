import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { requireFreePort } from './freePort.ts';

test('a port that is taken is said to be taken, and another reason is not', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as { port: number };
  await expect(requireFreePort(port, 'LEBUREAU_PORT')).rejects.toThrow(/is taken[^]*LEBUREAU_PORT=/);
  await new Promise((resolve) => holder.close(resolve));
  await requireFreePort(port, 'LEBUREAU_PORT');
  await expect(requireFreePort(70_000, 'LEBUREAU_PORT')).rejects.not.toThrow(/is taken/);
});
