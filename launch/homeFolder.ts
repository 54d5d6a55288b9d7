import { accessSync, constants, existsSync, mkdirSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

export interface HomePaths {
  home: string;
  logs: string;
  run: string;
  /** The first API key, mode 600. */
  keyFile: string;
  /** What signs the first owner in, mode 600; gone once there is one. */
  ownerLink: string;
  /** How the local network reaches the dashboard, with `--lan`. */
  lanAddress: string;
  /** There: the key and the configurations were shown once. */
  welcomed: string;
}

/** A template, its warm state and a few desktops. */
const freeMiBMin = 6 * 1024;

export function homePaths(home: string): HomePaths {
  return {
    home,
    logs: join(home, 'logs'),
    run: join(home, 'run'),
    keyFile: join(home, 'api-key'),
    ownerLink: join(home, 'owner-link'),
    lanAddress: join(home, 'lan', 'address.json'),
    welcomed: join(home, 'welcomed'),
  };
}

/**
 * Makes the folder of all state.
 * @throws Error with the way out when it cannot be made or written.
 */
export function ensureHomeFolder(home: string): HomePaths {
  const paths = homePaths(home);
  try {
    // 0711: the unprivileged users of the VMs pass through, and see nothing.
    mkdirSync(home, { recursive: true, mode: 0o711 });
    mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
    mkdirSync(paths.run, { recursive: true, mode: 0o700 });
    accessSync(home, constants.W_OK);
  } catch (error) {
    throw new Error(
      `${home} cannot be written (${error instanceof Error ? error.message : String(error)}). Run as root, or name another folder in LEBUREAU_HOME.`,
    );
  }
  return paths;
}

/** @throws Error when there is no template yet and no room to build one. */
export function requireRoom(home: string, freeMiB: number = freeMiBOf(home)): void {
  if (holdsTemplate(join(home, 'templates')) || freeMiB >= freeMiBMin) return;
  throw new Error(
    `${home} has ${freeMiB} MiB free; the template and a first desktop need ${freeMiBMin} MiB. Make room, or name another folder in LEBUREAU_HOME.`,
  );
}

/** An interrupted build leaves the folder of templates behind, but no template. */
function holdsTemplate(templates: string): boolean {
  return existsSync(templates) && readdirSync(templates).some((name) => name.startsWith('tpl_'));
}

function freeMiBOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return Math.floor((bavail * bsize) / 1_048_576);
}
