import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { Log } from '@lebureau/kit/log';
import { checkAddressing } from './addressing.ts';
import { pveClient } from './client.ts';
import { VmLists } from './lists.ts';
import { VmRecords } from './records.ts';
import type { ProxmoxSettings } from './settings.ts';
import type { GuestKeys, Site } from './site.ts';
import { PveToken } from './token.ts';
import { openTransport, type PveSend } from './transport.ts';

export interface SiteOptions {
  settings: ProxmoxSettings;
  clock: Clock;
  log: Log;
  /** SSH keys of the guest of an assignment. */
  keysOf: (owner: string) => GuestKeys;
  /** Take the place of a connection and of the command of the settings, in tests. */
  send?: PveSend;
  unlock?: Site['unlock'];
}

const unlockMaxMs = 20_000;

/** Sends nothing yet. @throws Error when the settings contradict each other. */
export function openSite({ settings, clock, log, keysOf, ...given }: SiteOptions): Site {
  checkAddressing(settings.vmids, settings.guestNetwork);
  const token = new PveToken(settings);
  const { send = openTransport(settings.endpoint, token, clock), unlock = unlocker(settings) } = given;
  const client = pveClient(send, () => clock.nowMs());
  return {
    client,
    token,
    settings,
    clock,
    log,
    keysOf,
    lists: new VmLists(client.api, settings, clock),
    records: new VmRecords(client.api, clock),
    unlock,
  };
}

function unlocker({ unlockCommand }: ProxmoxSettings): Site['unlock'] {
  const [program, ...words] = unlockCommand ?? [];
  if (program === undefined) return undefined;
  return async (vmid) => {
    const argv = words.map((word) => word.replaceAll('{vmid}', String(vmid)));
    try {
      await promisify(execFile)(program, argv, { timeout: unlockMaxMs });
    } catch (error) {
      throw new Fault('needs_operator', `The command that unlocks virtual machine ${vmid} failed.`, { cause: error });
    }
  };
}
