import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '@lebureau/kit/fault';
import { blocksMax, linkPrefix } from './addressing.ts';
import { readJson, writeJson } from './files.ts';

/**
 * The block of uids, addresses and interface names that this home uses for good. Several homes may share a machine, so
 * the first start looks for a block that nobody uses, beginning at one that follows from the home's path.
 */
export async function instanceBlock(home: string): Promise<number> {
  const path = join(home, 'instance.json');
  const known = (await readJson(path)) as { block?: unknown } | 'damaged' | undefined;
  if (known !== undefined) {
    const block = known === 'damaged' ? undefined : known.block;
    if (typeof block === 'number' && Number.isInteger(block) && block >= 0 && block < blocksMax) return block;
    throw new Fault('needs_operator', `${path} is damaged`, {
      hint: 'Put {"block": N} back, with the N of the running desktops.',
    });
  }
  const first = createHash('sha256').update(home).digest().readUInt16BE(0);
  const links = readdirSync('/sys/class/net');
  for (let step = 0; step < blocksMax; step++) {
    const block = (first + step) % blocksMax;
    if (links.some((link) => link.startsWith(linkPrefix(block)))) continue;
    await writeJson(path, { block }, { durable: true });
    return block;
  }
  throw new Fault('needs_operator', 'too many Le Bureau homes share this machine');
}
