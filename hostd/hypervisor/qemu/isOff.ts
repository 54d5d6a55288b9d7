import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { isAlive, type ProcessIdentity } from './process.ts';
import { Qmp } from './qmp.ts';
import { connectUnix } from './socket.ts';

/** For tests, past any driver: the process of a VM is gone, or says that its guest has shut down. */
export async function isOff(run: string, process: ProcessIdentity): Promise<boolean> {
  if (!isAlive(process)) return true;
  const qmp = new Qmp(await connectUnix(join(run, 'qmp.sock'), { clock: systemClock, timeoutMs: 5000 }));
  const { status } = (await qmp.execute('query-status')) as { status: string };
  qmp.close();
  return status === 'shutdown';
}
