import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

export interface HomePaths {
  home: string;
  logs: string;
  run: string;
  /** The first API key, mode 600. */
  keyFile: string;
}

/** A template, its warm state and a few desktops. */
const freeMiBMin = 6 * 1024;

/**
 * Makes the folder of all state.
 * @throws Error with the way out when it cannot be made, written or is too small.
 */
export function ensureHomeFolder(home: string): HomePaths {
  const paths = { home, logs: join(home, 'logs'), run: join(home, 'run'), keyFile: join(home, 'api-key') };
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

/** @throws Error when a template could not be built for lack of room. */
export function requireRoom(home: string): void {
  const { bavail, bsize } = statfsSync(home);
  const freeMiB = Math.floor((bavail * bsize) / 1_048_576);
  if (freeMiB < freeMiBMin)
    throw new Error(
      `${home} has ${freeMiB} MiB free; the template and a first desktop need ${freeMiBMin} MiB. Make room, or name another folder in LEBUREAU_HOME.`,
    );
}
