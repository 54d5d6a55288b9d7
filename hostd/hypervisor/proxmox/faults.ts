import { Fault, isFault } from '@lebureau/kit/fault';
import type { DriverFaultCode } from '../driver.ts';
import { PveError } from './client.ts';

/**
 * What Proxmox VE says and what it means. It answers 500 to nearly everything, so the text decides; texts of 8.4 and 9.2.
 * The first line that fits counts. Unknown means retry.
 */
interface Meaning {
  status?: number;
  text?: RegExp;
  code: DriverFaultCode;
  hint?: string;
}

const meanings: readonly Meaning[] = [
  { status: 401, code: 'needs_operator', hint: 'The API token is not accepted: see LEBUREAU_PVE_TOKEN.' },
  { status: 403, code: 'needs_operator', hint: 'Run `bun hostd/main.ts doctor`: it names the missing privilege.' },
  { status: 400, text: /no such task/, code: 'hypervisor_failed' },
  { status: 400, code: 'needs_operator' },
  { status: 501, code: 'needs_operator', hint: 'This version of Proxmox VE lacks a call that Le Bureau needs.' },
  { status: 0, code: 'hypervisor_failed' },
  { status: 595, code: 'hypervisor_failed' },
  { status: 596, code: 'hypervisor_failed' },
  { status: 599, code: 'hypervisor_failed' },
  { text: /can't migrate running VM without/i, code: 'hypervisor_failed' },
  { text: /can't (live )?migrate |storage '.*' is not available on node|no such cluster node/i, code: 'move_refused' },
  { text: /no quorum|cluster not ready/i, code: 'hypervisor_failed' },
  {
    text: /no space left|not enough (free )?space|out of (disk )?space|insufficient free space|free space|quota exceeded/i,
    code: 'disk_full',
  },
  { text: /cannot allocate memory|cannot set up guest memory|not enough memory/i, code: 'memory_full' },
  { text: /configuration file .* does not exist|unable to find configuration file for VM/i, code: 'vm_missing' },
  {
    text: /guest agent is not running|no qemu guest agent|vm \d+ is not running|agent error/i,
    code: 'guest_unreachable',
  },
  { text: /can't lock file|vm is locked|got timeout|detected modified configuration/i, code: 'hypervisor_failed' },
  {
    text: /bridge '.*' does not exist|storage '.*' (does not exist|is not online)|no such storage|only root can set/i,
    code: 'needs_operator',
    hint: 'Run `bun hostd/main.ts doctor`.',
  },
];

/** A Fault with a code of the contract; the answer of Proxmox VE stays its cause. */
export function toFault(error: unknown): Fault {
  if (isFault(error)) return error;
  if (!(error instanceof PveError))
    return new Fault('hypervisor_failed', 'Talking to Proxmox VE failed.', { cause: error });
  const meaning = meanings.find(
    (each) =>
      (each.status === undefined || each.status === error.status) &&
      (each.text === undefined || each.text.test(error.message)),
  );
  return new Fault(meaning?.code ?? 'hypervisor_failed', `Proxmox VE: ${error.message}`, {
    cause: error,
    hint: meaning?.hint,
  });
}

/** The id is taken: somebody was faster, or this very request had been carried out before. */
export function isTaken(error: unknown): boolean {
  return error instanceof PveError && /config file already exists|VM \d+ already exists/i.test(error.message);
}

export function isMissing(error: unknown): boolean {
  return error instanceof PveError && toFault(error).code === 'vm_missing';
}

export function isForbidden(error: unknown): boolean {
  return error instanceof PveError && error.status === 403;
}

export function says(error: unknown, text: RegExp): boolean {
  return error instanceof PveError && text.test(error.message);
}
