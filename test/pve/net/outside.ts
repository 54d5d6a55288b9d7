import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { runCommand } from '@lebureau/hostd/hypervisor/qemu/command';

export interface Outside {
  pid: number;
  /** Where the node sends what is not for itself. */
  gateway: string;
  /** To be called when the device `inside` was put into it. */
  start(): Promise<void>;
}

const gateway = '10.10.10.254';
/** Address and port of everything that listens there, so that what is closed is closed by the firewall and not by chance. */
const doors = [
  [gateway, 22],
  ['9.9.9.9', 53],
  ['203.0.113.80', 80],
  ['169.254.169.254', 80],
] as const;

/** A network namespace of its own that stands for the rest of the world; it ends with us. */
export async function openOutside(): Promise<Outside> {
  const program = `for (const [hostname, port] of ${JSON.stringify(doors)})
    Bun.listen({ hostname, port, socket: { open: (one) => one.end('open'), data: () => {} } });
    console.log('listening');`;
  const holder = spawn('unshare', ['--net', '--', 'setpriv', '--pdeathsig', 'KILL', '--', 'cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // What it repeats it can only say from inside its namespace.
  holder.stdin.write('here\n');
  await once(holder.stdout, 'data');
  const enter = [`--net=/proc/${holder.pid}/ns/net`, '--'];
  return {
    pid: holder.pid!,
    gateway,
    async start() {
      const commands = [
        'link set lo up',
        ...new Set(doors.map(([address]) => `addr add ${address}/${address === gateway ? 24 : 32} dev inside`)),
        'link set inside up',
      ];
      await runCommand('nsenter', [...enter, 'ip', '-batch', '-'], { stdin: `${commands.join('\n')}\n` });
      const argv = [...enter, 'setpriv', '--pdeathsig', 'KILL', '--', process.execPath, '-e', program];
      const listener = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(listener.stdout, 'data');
    },
  };
}
