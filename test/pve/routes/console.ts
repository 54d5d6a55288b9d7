import { died } from '../api/refusal.ts';
import type { Json } from '../api/reference.ts';
import type { VmState } from '../world/state.ts';
import type { Call, Routes } from '../world/world.ts';

/** What of a VM's console is neither VNC nor the agent. */
export const consoleRoutes: Routes = {
  'POST /nodes/{node}/qemu/{vmid}/monitor': monitor,
  'POST /nodes/{node}/qemu/{vmid}/spiceproxy': (call) => {
    const vm = find(call);
    if (!vm.run) throw died(`VM ${vm.vmid} not running`);
    throw died('no spice port');
  },
};

function find(call: Call): VmState {
  return call.world.vm(Number(call.given.vmid), call.node);
}

/** What QEMU says is data, and so is that it does not run; only what changes something needs more than to look. */
function monitor(call: Call): Json {
  const { world, caller, given } = call;
  const command = String(given.command);
  const reads = /^\s*info(?:\s+|$)|^\s*help\s*$/.test(command);
  if (!reads) world.permissions.check(caller, '/', ['Sys.Modify']);
  const vm = find(call);
  if (!vm.run) return `ERROR: VM ${vm.vmid} not running\n`;
  const [name = ''] = command.trim().split(/\s+/);
  if (/^info\s+status$/.test(command.trim())) return `VM status: ${vm.run.paused ? 'paused' : 'running'}\r\n`;
  return reads ? '' : `unknown command: '${name}'\r\n`;
}
