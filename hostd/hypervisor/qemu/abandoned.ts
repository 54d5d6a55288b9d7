import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressing, slotOfLink } from './addressing.ts';
import { runCommand } from './command.ts';
import { processesOf } from './process.ts';
import { tableName } from './rules.ts';

interface Claim {
  home: string;
  uidBase: number;
  slots: number[];
}

/** What the alias of an interface says about its home. */
export function linkAlias(home: string, uidBase: number): string {
  return `lebureau ${uidBase} ${home}`;
}

export function readLinkAlias(text: string): { home: string; uidBase: number } | undefined {
  const match = /^lebureau (\d+) (\/.*)$/.exec(text.trim());
  return match?.[1] === undefined || match[2] === undefined ? undefined : { uidBase: Number(match[1]), home: match[2] };
}

/**
 * Removes namespaces, interfaces and rules of homes that were deleted without being closed. A block whose home exists,
 * whose interfaces do not name one, or in which any process still runs is left alone.
 */
export async function removeAbandoned(): Promise<void> {
  for (const [block, claim] of claims()) {
    if (existsSync(join(claim.home, 'instance.json'))) continue;
    const addresses = claim.slots.map((slot) => addressing(block, slot, claim.uidBase));
    const uids = new Set(addresses.map((each) => each.uid));
    if (processesOf((uid) => uids.has(uid)).length > 0) continue;
    const commands = addresses.flatMap((each) => [`link del ${each.link}`, `netns del ${each.namespace}`]);
    await runCommand('ip', ['-force', '-batch', '-'], { stdin: `${commands.join('\n')}\n` }).catch(() => '');
    await runCommand('nft', ['delete', 'table', 'inet', tableName(block)]).catch(() => '');
  }
}

function claims(): Map<number, Claim> {
  const found = new Map<number, Claim>();
  for (const link of readdirSync('/sys/class/net')) {
    const place = slotOfLink(link);
    if (!place) continue;
    const alias = readLinkAlias(readAlias(link));
    if (!alias) continue;
    const claim = found.get(place.block) ?? { ...alias, slots: [] };
    claim.slots.push(place.slot);
    found.set(place.block, claim);
  }
  return found;
}

function readAlias(link: string): string {
  try {
    return readFileSync(`/sys/class/net/${link}/ifalias`, 'utf8');
  } catch {
    return ''; // it went away meanwhile
  }
}
