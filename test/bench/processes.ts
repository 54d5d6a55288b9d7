import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  return kibOf(`/proc/${pid}/status`, 'VmRSS') / 1024;
}

/** Memory that would come free if the process ended: private pages, clean or dirty, MiB. */
export function privateMiB(pid: number): number {
  const path = `/proc/${pid}/smaps_rollup`;
  return (kibOf(path, 'Private_Dirty') + kibOf(path, 'Private_Clean')) / 1024;
}

/** CPU seconds that the process has used, user and system, all threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Processes of QEMU whose arguments name this folder. */
export function qemuPids(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.startsWith('qemu-system') || command.includes('/qemu-system') ? command.includes(home) : false;
      } catch {
        return false;
      }
    });
}

function kibOf(path: string, name: string): number {
  const line = readFileSync(path, 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  return Number.parseInt(line?.slice(name.length + 1) ?? '0', 10);
}

/** CPU seconds of all descendants of this process with this name, those that ended too. */
export function descendantsCpuSeconds(pid: number, name: string): number {
  const stats = readdirSync('/proc')
    .filter((each) => /^\d+$/.test(each))
    .flatMap((each) => {
      try {
        const stat = readFileSync(`/proc/${each}/stat`, 'latin1');
        const end = stat.lastIndexOf(')');
        const fields = stat
          .slice(end + 2)
          .split(' ')
          .map(Number);
        const ticks = fields.slice(11, 15).reduce((sum, ticksOfOne) => sum + ticksOfOne, 0);
        return [{ pid: Number(each), name: stat.slice(stat.indexOf('(') + 1, end), parent: fields[1]!, ticks }];
      } catch {
        return [];
      }
    });
  const family = new Set([pid]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const one of stats) if (family.has(one.parent)) family.add(one.pid);
  }
  const named = stats.filter((one) => one.pid !== pid && family.has(one.pid) && one.name.startsWith(name));
  return named.reduce((sum, one) => sum + one.ticks, 0) / 100;
}
