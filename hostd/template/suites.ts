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
