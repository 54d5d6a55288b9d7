import { mkdir, rm, stat, truncate, writeFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { probeHost } from '../hypervisor/qemu/host.ts';
import { guestCommandLine } from '../hypervisor/qemu/machine.ts';
import { readTemplateFile } from './chooseSuite.ts';
import { runCommand } from './command.ts';
import { templatePaths } from './files.ts';
import { keepDevices, saveDevices, savingFolder } from './saveDevices.ts';
import { takeBack } from './takeBack.ts';
import { giveToQemu, WarmMachine } from './warmMachine.ts';
import { verifyWarmState } from './verify.ts';
const id = 'tpl_4aqfmsjqyascxsbntqkjh526kd', home = '/var/tmp/lb-home';
const template = (await readTemplateFile(home, id))!;
const paths = templatePaths(home, id);
const host = await probeHost({ kernel: { vmlinux: paths.vmlinux, initrd: paths.initrd } });
const size = { vcpus: 1, memoryMiB: 1024 };
const warm = '/var/tmp/lb-fix/templates/tpl_1k4xn2znbvqyhj5c6k0fb0wkmg/warm';
const folder = join(warm, '.making-749f7af4875200a02aba5f239ad7ea43');
await rm('/var/tmp/lb-fix', { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const ram = join(folder, 'ram'), disk = join(folder, 'disk.qcow2');
await writeFile(ram, ''); await truncate(ram, size.memoryMiB * 2 ** 20);
const signal = new AbortController().signal;
await runCommand(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', paths.disk, disk], { signal, timeoutMs: 30000 });
await giveToQemu([folder, ram, disk]);
const commandLine = guestCommandLine(template.kernelArgs, host.accelerator);
const machine = await WarmMachine.start({ host, clock: systemClock, run: folder, machine: { size, kernel: { vmlinux: paths.vmlinux, initrd: paths.initrd, commandLine }, ram: { kind: 'shared', path: ram }, incoming: false } });
console.log('started', machine.process.pid);
try {
  if (process.argv[2] === 'full') for (;;) { const h = await machine.init.health(200000); if (h.displayUp && h.windowManagerUp) break; await Bun.sleep(1000); }
  else await Bun.sleep(3000);
  console.log('up'); await saveDevices(machine, folder); console.log('saved');
} finally { await machine.end(); }
console.log(await readdir(folder), (await stat(folder)).uid, await readdir(savingFolder(folder)));
await takeBack(folder, ['ram', 'disk.qcow2']); await keepDevices(folder);
for (const n of await readdir(folder)) { const s = await stat(join(folder, n)); console.log(n, s.size, s.uid, s.mode.toString(8)); }
console.log(await readdir(warm));
if (process.argv[2] === 'full') console.log(await verifyWarmState({ paths, folder, commandLine, size, host, clock: systemClock, signal }, join(folder, 'verify')));
process.exit(0);
