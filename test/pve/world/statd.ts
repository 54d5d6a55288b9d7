import { sampled } from '../vm/status.ts';
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
    const minute = Math.floor(world.nowS() / 60) * 60;
    if (vm.history.at(-1)?.time === minute) continue;
    const { cpu, maxcpu, mem, maxmem, maxdisk, netin, netout } = vm.sample;
    const values = vm.run
      ? { cpu, maxcpu, mem, maxmem, disk: 0, maxdisk, netin, netout, diskread: 0, diskwrite: 0 }
      : { cpu, maxcpu, mem, maxmem, disk: 0, maxdisk };
    vm.history.push({ time: minute, values: JSON.parse(JSON.stringify(values)) });
    if (vm.history.length > historyMax) vm.history.shift();
  }
}
