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
