import { sampled } from '../vm/status.ts';
import type { VmState } from './state.ts';
import type { World } from './world.ts';

const sampleEveryMs = 10_000;
const historyMax = 70;

/** pvestatd: every ten seconds it looks at each VM, once a minute it keeps a row for rrddata. */
export async function runStatd(world: World, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    lookAtAll(world);
    await world.pace.wait(sampleEveryMs, signal);
  }
}

export function lookAtAll(world: World): void {
  for (const vm of Object.values(world.state.vms)) {
    if (!world.state.nodes[vm.node]?.online) continue;
    vm.sample = sampled(world, vm);
    remember(world, vm);
  }
}

/** Rows stay when a VM is gone: its id's next owner inherits them. */
function remember(world: World, vm: VmState): void {
  const minute = Math.floor(world.nowS() / 60) * 60;
  const rows = (world.state.rrd[vm.vmid] ??= []);
  if (rows.at(-1)?.time === minute) return;
  const { cpu, maxcpu, mem, maxmem, maxdisk, netin, netout } = vm.sample ?? {};
  const always = { cpu, maxcpu, mem, maxmem, disk: 0, maxdisk, ...(world.facts.memhost ? { memhost: mem } : {}) };
  rows.push({ time: minute, values: JSON.parse(JSON.stringify(vm.run ? { ...always, netin, netout } : always)) });
  if (rows.length > historyMax) rows.shift();
}
