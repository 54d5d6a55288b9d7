import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { proxmoxDouble } from '../system/hypervisors.ts';
import { templateHome, vmSkipReason } from '../system/product.ts';
import { startPveNode } from './startPveNode.ts';

const skip = vmSkipReason(proxmoxDouble());

/** A namespace without a name is gone with the last process in it. */
function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

function processes(): { pid: number; parent: number }[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    try {
      return [{ pid, parent: Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) }];
    } catch {
      return [];
    }
  });
}

describe.skipIf(skip !== undefined)(`what stands for a node of Proxmox VE ${skip ?? ''}`, () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('is gone with it, networks too: %s', async (signal) => {
    const folder = mkdtempSync('/var/tmp/lb-node-');
    chmodSync(folder, 0o711);
    const node = await startPveNode({ home: join(folder, 'pve'), templateHome: templateHome! });
    const children = processes().filter((one) => one.parent === node.pid);
    const spaces = new Set([node.pid, ...children.map((one) => one.pid)].map(namespaceOf));
    expect(spaces.size).toBe(2);
    expect(spaces).not.toContain(namespaceOf(process.pid));
    expect((await node.ask('GET /version')).status).toBe(200);
    process.kill(node.pid, signal);
    await node.stop();
    const left = () => processes().filter((one) => spaces.has(namespaceOf(one.pid) ?? ''));
    await expect.poll(left).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});
