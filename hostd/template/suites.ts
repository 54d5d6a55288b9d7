export type SuiteName = 'jammy' | 'bookworm';

interface Suite {
  name: string;
  /** Lines of sources.list. */
  sources: readonly string[];
  components: string;
  /** Fetched to find out whether this suite can be built here. */
  probe: string;
  keyring: string;
  /** Where the keyring comes from when the host has none. */
  keyringPackage?: { url: string; sha256: string };
  /** Nobody has seen a desktop of this suite run yet. */
  untested: boolean;
}

const debian = 'http://deb.debian.org';
const ubuntu = 'http://archive.ubuntu.com/ubuntu';

/** Its first start is rehearsed, and what it leaves behind is removed. Beside `suites`: it is no part of the recipe. */
export interface Browser {
  package: string;
  command: string;
  windowClass: string;
  /** As `pkill` knows it. */
  process: string;
  /** Of the profile and its likes, seen from the home folder of the user. */
  leavings: readonly string[];
}

export const browsers: Readonly<Record<SuiteName, Browser>> = {
  bookworm: {
    package: 'chromium',
    command: 'x-www-browser about:blank',
    windowClass: 'chromium',
    process: 'chromium',
    leavings: ['.config/chromium', '.cache/chromium', '/tmp/.org.chromium*'],
  },
  jammy: {
    package: 'epiphany-browser',
    command: 'epiphany-browser about:blank',
    windowClass: 'epiphany',
    process: 'epiphany',
    leavings: ['.local/share/epiphany', '.config/epiphany', '.cache/epiphany', '.cache/WebKitGTK'],
  },
};

export const suites: Readonly<Record<SuiteName, Suite>> = {
  bookworm: {
    name: 'Debian 12 with XFCE',
    sources: [
      `deb ${debian}/debian bookworm main`,
      `deb ${debian}/debian bookworm-updates main`,
      `deb ${debian}/debian-security bookworm-security main`,
    ],
    components: 'main',
    probe: `${debian}/debian/dists/bookworm/InRelease`,
    keyring: '/usr/share/keyrings/debian-archive-keyring.gpg',
    untested: false,
  },
  jammy: {
    name: 'Ubuntu 22.04 with XFCE',
    sources: [
      `deb ${ubuntu} jammy main universe`,
      `deb ${ubuntu} jammy-updates main universe`,
      `deb ${ubuntu} jammy-security main universe`,
    ],
    components: 'main,universe',
    probe: `${ubuntu}/dists/jammy/InRelease`,
    keyring: '/usr/share/keyrings/ubuntu-archive-keyring.gpg',
    keyringPackage: {
      url: `${ubuntu}/pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb`,
      sha256: '0d0e7ed6b112f5d03eabf3c7eb01ebdacf9c57714b279e90495cfc58c8c4520f',
    },
    untested: true,
  },
};
