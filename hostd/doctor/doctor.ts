import { describeError } from '@lebureau/kit/fault';
import { toFault } from '../hypervisor/proxmox/faults.ts';
import type { Site } from '../hypervisor/proxmox/site.ts';
import { checkBridge, checkFirewall, checkGrants, checkReach, checkStorages, checkTemplates } from './checks.ts';
import { bad, type Finding } from './finding.ts';
import { importTemplate } from './importTemplate.ts';
import { checkClosedIn, proveIsolation } from './isolation.ts';
import { collectTemplates } from './oldTemplates.ts';
import { setupScript } from './setupScript.ts';

export interface DoctorAsk {
  /** Of a node of the cluster; without a name that of the configuration. */
  siteOf: (node?: string) => Site;
  home: string;
  argv: readonly string[];
  print: (text: string) => void;
}

const usage = `bun hostd/main.ts doctor [--print-setup [8|9] | --import-template [NODE…] | --collect-templates [NODE…]]

  without an option   checks everything that hostd needs of Proxmox VE, and prints the lines that put right what is wrong
  --print-setup       the script that makes user, roles, token, pool and bridge; for root on the node
  --import-template   makes a template of what hostd/template built last; goes on where it was interrupted
  --collect-templates removes templates that a newer one replaced and no desktop is linked to`;
const exitUsage = 64;
const defaultMajor = '9';

/** @returns the exit code: 0 when nothing is wrong. */
export async function runDoctor({ siteOf, home, argv, print }: DoctorAsk): Promise<number> {
  const [option, ...words] = argv;
  switch (option) {
    case '--print-setup':
      print(setupScript(siteOf().settings, words[0] ?? defaultMajor));
      return 0;
    case '--import-template':
      return tell(await onEach(siteOf, words, (site) => importTemplate({ site, home, print })), print);
    case '--collect-templates':
      return tell(await onEach(siteOf, words, collectTemplates), print);
    case undefined:
      return tell(await examine(siteOf(), home), print);
    default:
      print(usage);
      return exitUsage;
  }
}

/** One node after the other; what fails on one does not keep the next from it. */
async function onEach(
  siteOf: DoctorAsk['siteOf'],
  nodes: readonly string[],
  work: (site: Site) => Promise<Finding[]>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const node of nodes.length === 0 ? [undefined] : nodes) {
    const site = siteOf(node);
    try {
      findings.push(...(await work(site)));
    } catch (error) {
      const fault = toFault(error);
      const { hint } = fault.extra;
      findings.push(bad(`${site.settings.node}: ${fault.message}`, hint === undefined ? [] : [hint]));
    }
  }
  return findings;
}

export async function examine(site: Site, home: string): Promise<Finding[]> {
  const { major, findings } = await checkReach(site);
  if (major === undefined) return findings;
  const checks = [
    () => checkGrants(site, major),
    () => checkStorages(site),
    async () => [await checkBridge(site)],
    async () => [await checkFirewall(site)],
    () => checkTemplates(site, home),
    () => checkClosedIn(site),
    () => proveIsolation(site),
  ];
  for (const check of checks) findings.push(...(await check().catch((error: unknown) => [bad(describeError(error))])));
  return findings;
}

function tell(findings: readonly Finding[], print: (text: string) => void): number {
  const signs = { good: 'ok  ', note: 'note', bad: 'BAD ' };
  for (const { state, what, fix } of findings) {
    print(`${signs[state]}  ${what}`);
    for (const line of fix ?? []) print(`        ${line}`);
  }
  const wrong = findings.filter(({ state }) => state === 'bad').length;
  print(wrong === 0 ? 'Nothing is wrong.' : `${wrong} of ${findings.length} are wrong.`);
  return wrong === 0 ? 0 : 1;
}
