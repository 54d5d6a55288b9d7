import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';

/** A Debian or Ubuntu package and a file of it that shows whether it is there. */
interface SystemPackage {
  name: string;
  file: string;
}

const always: SystemPackage[] = [
  { name: 'qemu-system-x86', file: '/usr/bin/qemu-system-x86_64' },
  { name: 'qemu-utils', file: '/usr/bin/qemu-img' },
  { name: 'mmdebstrap', file: '/usr/bin/mmdebstrap' },
  { name: 'musl-tools', file: '/usr/bin/musl-gcc' },
  { name: 'e2fsprogs', file: '/sbin/mke2fs' },
  { name: 'iproute2', file: '/sbin/ip' },
  { name: 'nftables', file: '/usr/sbin/nft' },
];

/** What the tests use besides: the boot disk for Proxmox VE, real programs to compare with and to talk to. */
const forTests: SystemPackage[] = [
  { name: 'mtools', file: '/usr/bin/mformat' },
  { name: 'syslinux', file: '/usr/bin/syslinux' },
  { name: 'openssh-client', file: '/usr/bin/sftp' },
  { name: 'openssh-server', file: '/usr/sbin/sshd' },
  { name: 'tigervnc-standalone-server', file: '/usr/bin/Xvnc' },
  { name: 'xterm', file: '/usr/bin/xterm' },
  { name: 'x11-utils', file: '/usr/bin/xprop' },
  { name: 'x11-xkb-utils', file: '/usr/bin/setxkbmap' },
  { name: 'xdotool', file: '/usr/bin/xdotool' },
  { name: 'xclip', file: '/usr/bin/xclip' },
  { name: 'wmctrl', file: '/usr/bin/wmctrl' },
  { name: 'x11-xserver-utils', file: '/usr/bin/xrandr' },
  { name: 'openbox', file: '/usr/bin/openbox' },
  { name: 'zenity', file: '/usr/bin/zenity' },
  { name: 'curl', file: '/usr/bin/curl' },
  { name: 'sqlite3', file: '/usr/bin/sqlite3' },
  { name: 'chromium', file: '/usr/bin/chromium' },
];

export interface Ask {
  /** Install without asking. */
  yes: boolean;
  tests: boolean;
}

/**
 * Installs what is missing, asking first on a terminal.
 * @throws Error with the exact command when it must not or cannot install.
 */
export async function ensureSystemPackages(ask: Ask): Promise<void> {
  const wanted = ask.tests ? [...always, ...forTests] : always;
  const missing = wanted.filter((each) => !existsSync(each.file)).map((each) => each.name);
  if (missing.length === 0) return;
  const root = process.getuid?.() === 0;
  const apt = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  const command = root ? apt : ['sudo', ...apt];
  if (!isDebianLike())
    throw new Error(
      `These packages are missing: ${missing.join(', ')}. This is neither Debian nor Ubuntu: install them its way, then run it again.`,
    );
  if (!ask.yes && !(await agreed(missing))) {
    throw new Error(
      `These packages are missing: ${missing.join(', ')}.\nInstall them with\n  ${command.join(' ')}\nor run it again with --yes.`,
    );
  }
  process.stdout.write(`Installing ${missing.join(', ')} …\n`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  spawnSync(root ? 'apt-get' : 'sudo', root ? ['update', '-qq'] : ['apt-get', 'update', '-qq'], {
    stdio: ['inherit', 'ignore', 'inherit'],
    env: environment,
  });
  const run = spawnSync(command[0]!, command.slice(1), { stdio: ['inherit', 'ignore', 'inherit'], env: environment });
  if (run.status !== 0)
    throw new Error(
      `apt could not install them (see above). Mend that, or install them yourself:\n  ${command.join(' ')}`,
    );
}

function isDebianLike(): boolean {
  try {
    return /^(ID|ID_LIKE)=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

async function agreed(missing: string[]): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`Le Bureau needs ${missing.join(', ')}. Install with apt? [Y/n] `);
  terminal.close();
  return /^(y|yes)?$/i.test(answer.trim());
}
