import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { Fault } from '@lebureau/kit/fault';
import { identifyProcess } from '../hypervisor/qemu/process.ts';

/**
 * One builder at a time in a folder. The file names its holder by pid and start time, so a killed holder holds nothing.
 * @throws Fault `wrong_state` while another process builds.
 */
export function takeLock(path: string): () => void {
  const mine = JSON.stringify(identifyProcess(process.pid));
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, 'wx', 0o644);
      writeSync(file, mine);
      closeSync(file);
      return () => unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (isHeld(path)) throw new Fault('wrong_state', 'another process builds a template here; wait for it or end it');
    unlinkSync(path);
  }
  throw new Fault('wrong_state', `${path} cannot be taken`);
}

function isHeld(path: string): boolean {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as { pid?: number };
    return typeof holder.pid === 'number' && JSON.stringify(identifyProcess(holder.pid)) === JSON.stringify(holder);
  } catch {
    return false;
  }
}
