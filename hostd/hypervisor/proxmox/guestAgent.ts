import { Fault } from '@lebureau/kit/fault';
import { vmApi, type Site, type VmPlace } from './site.ts';

const pollMs = 250;
const scriptMaxMs = 60_000;

/**
 * Runs a script as root in the guest, by its agent. One program, `sh`, which reads it from its input: Proxmox VE answers
 * 596 when the guest lacks a program, and every guest has this one.
 * @throws PveError while the agent does not answer; Fault `guest_unreachable` when the script does not end.
 */
export async function runInGuest(
  site: Site,
  place: VmPlace,
  script: string,
): Promise<{ exitCode: number; out: string; err: string }> {
  const { agent } = vmApi(site, place);
  const command = ['/bin/sh'] as unknown as Parameters<typeof agent.exec.$post>[0]['command'];
  const { pid } = await agent.exec.$post({ command, 'input-data': script });
  const untilMs = site.clock.monotonicMs() + scriptMaxMs;
  while (site.clock.monotonicMs() < untilMs) {
    const end = await agent['exec-status'].$get({ pid });
    if (Number(end.exited) === 1)
      return { exitCode: end.exitcode ?? 255, out: end['out-data'] ?? '', err: end['err-data'] ?? '' };
    await site.clock.sleep(pollMs);
  }
  throw new Fault('guest_unreachable', 'A script of hostd did not end in the guest.');
}
