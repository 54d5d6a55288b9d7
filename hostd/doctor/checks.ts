import { describeError } from '@lebureau/kit/fault';
import { PveError } from '../hypervisor/proxmox/client.ts';
import { readTemplateMarker } from '../hypervisor/proxmox/marker.ts';
import { rootDisk } from '../hypervisor/proxmox/rootDisk.ts';
import type { Site } from '../hypervisor/proxmox/site.ts';
import { templatesOf, type PveTemplate } from '../hypervisor/proxmox/templates.ts';
import { builtTemplates } from './builtTemplates.ts';
import { bad, good, note, type Finding } from './finding.ts';
import { grantLines, grantsFor, oldestVersions } from './grants.ts';
import { unconvertedDisks } from './halfTemplate.ts';
import { checkImportStorage } from './importStorage.ts';

const skewMaxMs = 5_000;

/** The version's major number, or the finding that ends everything: nobody answers, or not to us. */
export async function checkReach(site: Site): Promise<{ major?: string; findings: Finding[] }> {
  const { endpoint } = site.settings;
  try {
    const { version } = await site.client.api.version.$get();
    const [major = '', minor = ''] = version.split('.');
    const oldest = oldestVersions[major];
    const isKnown = oldest !== undefined && Number(minor) >= Number(oldest.split('.')[1]);
    return {
      major,
      findings: [
        isKnown
          ? good(`Proxmox VE ${version} answers at ${endpoint.url}`)
          : bad(`Proxmox VE ${version} is not supported; from ${Object.values(oldestVersions).join(' and from ')} on`),
        checkClock(site),
      ],
    };
  } catch (error) {
    return { findings: [bad(`${endpoint.url}: ${describeError(error)}`, reachLines(error, site))] };
  }
}

function reachLines(error: unknown, { settings }: Site): string[] {
  if (error instanceof PveError && error.status === 401) {
    const [user, name] = settings.token.split('=')[0]!.split('!');
    return [`pveum user token remove ${user} ${name}; pveum user token add ${user} ${name} --privsep 1`];
  }
  return [
    'cat /etc/pve/pve-root-ca.pem   # to the file of LEBUREAU_PVE_CA, or:',
    'openssl x509 -in /etc/pve/local/pve-ssl.pem -noout -fingerprint -sha256   # to LEBUREAU_PVE_FINGERPRINT',
  ];
}

function checkClock({ client }: Site): Finding {
  const skewMs = client.skewMs() ?? 0;
  if (Math.abs(skewMs) <= skewMaxMs) return good('the clocks agree');
  return note(`the clock of the node is ${Math.round(skewMs / 1000)} s from ours`, ['chronyc makestep']);
}

/** Each privilege on each path, as the token itself has it. */
export async function checkGrants(site: Site, major: string): Promise<Finding[]> {
  const { settings, client } = site;
  const tokenId = settings.token.split('=')[0]!;
  const findings: Finding[] = [];
  for (const grant of grantsFor(settings, { major, storages: await storagesOf(site) })) {
    const table = (await client.api.access.permissions.$get({ path: grant.path })) as Record<
      string,
      Record<string, number> | undefined
    >;
    const has = table[grant.path] ?? {};
    const lacks = grant.privileges.filter((privilege) => !(privilege in has));
    findings.push(
      lacks.length === 0
        ? good(`rights on ${grant.path}`)
        : bad(`${tokenId} lacks ${lacks.join(', ')} on ${grant.path}`, grantLines(grant, tokenId)),
    );
  }
  return findings;
}

async function storagesOf(site: Site): Promise<string[]> {
  if (site.settings.storage !== undefined) return [site.settings.storage];
  const templates = await templatesOf(site).catch(() => []);
  const storages = templates.map(({ record }) => rootDisk(record.config)?.storage);
  return [...new Set(storages.filter((storage) => storage !== undefined))];
}

export async function checkStorages(site: Site): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const storage of await storagesOf(site)) {
    const status = (await site.client.api.nodes.$(site.settings.node).storage.$(storage).status.$get()) as {
      active?: number;
      avail?: number;
      content?: string;
    };
    const gib = Math.floor((status.avail ?? 0) / 2 ** 30);
    if (Number(status.active) !== 1)
      findings.push(bad(`storage ${storage} is not active`, [`pvesm set ${storage} --disable 0`]));
    else if (!status.content?.split(',').includes('images'))
      findings.push(
        bad(`storage ${storage} holds no disks`, [`pvesm set ${storage} --content ${status.content},images`]),
      );
    else findings.push(good(`storage ${storage} has ${gib} GiB free`));
  }
  return findings;
}

export async function checkBridge(site: Site): Promise<Finding> {
  const { bridge, node } = site.settings;
  const networks = (await site.client.api.nodes.$(node).network.$get({ type: 'any_bridge' })) as unknown as {
    iface: string;
    active?: number;
  }[];
  const found = networks.find((network) => network.iface === bridge);
  if (found === undefined)
    return bad(`node ${node} has no bridge ${bridge}`, [
      'bun hostd/main.ts doctor --print-setup   # run it as root on the node',
    ]);
  return Number(found.active ?? 0) === 1
    ? good(`bridge ${bridge}`)
    : bad(`bridge ${bridge} is down`, [`ifup ${bridge}`]);
}

export async function checkFirewall(site: Site): Promise<Finding> {
  const { enable } = await site.client.api.cluster.firewall.options.$get();
  return Number(enable ?? 0) === 1
    ? good('the firewall of the datacenter is on')
    : bad('the firewall of the datacenter is off: no guest is closed in', [
        'pvesh set /cluster/firewall/options --enable 1',
      ]);
}

/** The newest that was built here should be there; older ones go when nothing is linked to them. */
export async function checkTemplates(site: Site, home: string): Promise<Finding[]> {
  const there = await templatesOf(site);
  const [newest] = builtTemplates(home);
  const findings = [...there.map(checkTemplate), ...(await checkHalfTemplates(site))];
  const lacksNewest = newest !== undefined && !there.some(({ marker }) => marker.templateId === newest.id);
  if (lacksNewest) {
    findings.push(bad(`template ${newest.id} was built and is not imported`, [importLine]));
    findings.push(await checkImportStorage(site, newest));
  } else if (there.length === 0)
    findings.push(
      bad(`node ${site.settings.node} has no template of ours`, [
        `bun hostd/template/main.ts --home ${home}`,
        importLine,
      ]),
    );
  return findings;
}

function checkTemplate({ marker, record }: PveTemplate): Finding {
  const what = `template ${marker.templateId} (VM ${record.vmid})`;
  if (!canStart(record.config)) return bad(`${what} names no disk to start from`, [importLine]);
  if (unconvertedDisks(record.config).length === 0) return good(what);
  return note(`${what}: nothing can be linked to its disks, so every clone is a full one`, [importLine]);
}

/** What an import that was interrupted left behind. */
async function checkHalfTemplates(site: Site): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const vm of await site.lists.ofNode()) {
    if (vm.isTemplate) continue;
    const { description } = (await site.records.recent(vm)).config;
    const marker = readTemplateMarker(description === undefined ? undefined : String(description));
    if (marker !== undefined)
      findings.push(note(`template ${marker.templateId} (VM ${vm.vmid}) is only half made`, [importLine]));
  }
  return findings;
}

const importLine = 'bun hostd/main.ts doctor --import-template';

function canStart(config: Readonly<Record<string, unknown>>): boolean {
  const order = /order=([^,]*)/.exec(String(config.boot ?? ''))?.[1]?.split(';') ?? [];
  return config.args !== undefined || order.some((slot) => config[slot] !== undefined);
}
