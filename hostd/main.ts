import { randomBytes } from 'node:crypto';
import { systemClock } from '@lebureau/kit/clock';
import { exitConfig } from '@lebureau/kit/config';
import { describeError } from '@lebureau/kit/fault';
import { createLog, type Log } from '@lebureau/kit/log';
import packageJson from './package.json' with { type: 'json' };
import { type ApiLink, openApiLink } from './apiLink.ts';
import { readHostdConfig, type HostdConfig } from './config.ts';
import { eyeHandlers } from './guest/server/eyes.ts';
import { fileHandlers } from './guest/server/files.ts';
import { shellHandlers } from './guest/server/shell.ts';
import { GuestConnections } from './guest/server/connections.ts';
import { serveGuests } from './guest/server/server.ts';
import type { GuestIdentity } from './guest/init/channel.ts';
import { lockHome, openHome } from './home.ts';
import { Hostd } from './hostd.ts';
import type { Driver } from './hypervisor/driver.ts';
import { deriveIdentity, readNodeSecret, type DerivedIdentity } from './identity.ts';
import { writeNodeIdentity } from './nodeIdentity.ts';
import type { Assignment } from './orders.ts';
import { reclaimRecordOf } from './reclaimrecord.ts';
import { openLive } from './streams/openLive.ts';
import type { WarmSize } from './warm.ts';

/** Exit code a supervisor may act upon (sysexits.h): another hostd took over. */
const exitSuperseded = 75;
const drainLimitMs = 5_000;
const lookEveryMs = 3_000;
const identitiesMax = 1000;
const fakeTemplate = { id: `tpl_${'0'.repeat(26)}`, name: 'fake', warmSizes: ['1x1024'], diskMiB: 1, builtAtMs: 0 };

if (process.argv[2] === 'doctor') process.exit(await doctor(process.argv.slice(3)));
await main();

/** Needs no home of its own and leaves a hostd that runs alone. */
async function doctor(argv: readonly string[]): Promise<number> {
  const config = configOrExit();
  if (config.proxmox === undefined) {
    console.error('The doctor is for LEBUREAU_DRIVER=proxmox; QEMU nodes are looked at by `npm start`.');
    return exitConfig;
  }
  const [{ openSite }, { runDoctor }] = await Promise.all([
    import('./hypervisor/proxmox/openSite.ts'),
    import('./doctor/doctor.ts'),
  ]);
  const log = createLog('doctor', 'silent');
  const keysOf = () => {
    throw new Error('the doctor logs in nowhere');
  };
  const settings = config.proxmox;
  const siteOf = (node = settings.node) =>
    openSite({ settings: { ...settings, node }, clock: systemClock, log, keysOf });
  return runDoctor({ siteOf, home: config.home, argv, print: (text) => console.log(text) });
}

function configOrExit(): HostdConfig {
  try {
    return readHostdConfig();
  } catch (error) {
    console.error(describeError(error));
    process.exit(exitConfig);
  }
}

/** `bun hostd/main.ts` serves; `bun hostd/main.ts join ADDRESS TOKEN` makes this machine a node of that API and ends. */
async function main(): Promise<void> {
  const [command, address, token] = process.argv.slice(2);
  if (command !== undefined && command !== 'join') giveUp(`There is no ${command}. Commands: join ADDRESS TOKEN`);
  const { config, giveBackHome } = prepare();
  const log = createLog('hostd', config.logLevel);
  if (command === 'join') {
    await join(config, { address: address ?? '', token: token ?? '' });
    giveBackHome();
    return;
  }
  try {
    const end = await runHostd(config, log);
    log.info('hostd stopped', { end });
    giveBackHome();
    process.exit(end === 'superseded' ? exitSuperseded : 0);
  } catch (error) {
    log.error('hostd failed', { error: describeError(error) });
    giveBackHome();
    process.exit(1);
  }
}

function prepare(): { config: HostdConfig; giveBackHome: () => void } {
  try {
    const config = readHostdConfig();
    openHome(config.home);
    return { config, giveBackHome: lockHome(config.home) };
  } catch (error) {
    giveUp(describeError(error));
  }
}

async function join(config: HostdConfig, to: { address: string; token: string }): Promise<void> {
  try {
    const apiAddress = to.address.replaceAll(/\/(?=,|$)/g, '');
    if (!/^https:\/\/[^/,]+(,https:\/\/[^/,]+)*$/.test(apiAddress))
      throw new Error('Usage: join https://host:port[,https://host:port] TOKEN');
    const { joinApi } = await import('./joinApi.ts');
    const wish = { apiAddress, token: to.token, nodeName: config.nodeName };
    const identity = await joinApi(wish, systemClock);
    writeNodeIdentity(config.home, identity);
    console.log(`${identity.nodeName} is node ${identity.nodeId} now. Start hostd.`);
  } catch (error) {
    giveUp(describeError(error));
  }
}

function giveUp(sentence: string): never {
  console.error(sentence);
  process.exit(exitConfig);
}

function linkOf(config: HostdConfig, log: Log): ApiLink {
  try {
    return openApiLink(config, { clock: systemClock, log });
  } catch (error) {
    giveUp(describeError(error));
  }
}

function stopOnSignals(log: Log): AbortController {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (!stop.signal.aborted) log.info('stopping', { signal });
      stop.abort();
    });
  }
  return stop;
}

async function runHostd(config: HostdConfig, log: Log) {
  const stop = stopOnSignals(log);
  const link = linkOf(config, log);
  const identities = identityCache(readNodeSecret(config.home));
  let hostd: Hostd | undefined;
  const { driver, closeDriver, fakeGuests, warm } = await openDriver(config, log, {
    onChange: (vmRef) => hostd?.wake(vmRef),
    identities,
  });
  const onControl = (assignmentId: string) => hostd?.caretaker(assignmentId)?.wake();
  const versionOf = (assignmentId: string) => hostd?.find(assignmentId)?.order.identityVersion;
  const { giveRecording } = link;
  const live = openLive({ home: config.home, clock: systemClock, log, onControl, versionOf, giveRecording });
  const connections = new GuestConnections({
    driver,
    clock: systemClock,
    log,
    find: (assignmentId) => hostd?.find(assignmentId),
    knowsOrders: () => hostd?.knowsOrders ?? false,
    keysOf: (assignmentId) => {
      const { sshHostKey, sshClientKey } = identities(assignmentId);
      return { hostKey: sshHostKey.publicKey, privateKey: sshClientKey.privateKey };
    },
    isBusy: () => hostd?.isBusy ?? false,
    onInitLost: (assignmentId) => hostd?.caretaker(assignmentId)?.doubtGuest(),
    onDeleted: live.forget,
    onMoved: live.moved,
  });
  hostd = new Hostd({
    desk: link.desk,
    driver,
    guests: fakeGuests ?? connections,
    warm,
    clock: systemClock,
    log,
    identityOf: (order, boot) => guestIdentity(identities(order.assignmentId), order, boot),
    controlOf: live.holderOf,
    recordingsCount: live.recordingsCount,
    macOf: (order) => identities(order.assignmentId).mac,
    nodeName: link.nodeName,
    version: packageJson.version,
    guestAddress: link.guestAddress,
    effectsMax: config.effectsMax,
    reclaim: config.reclaim,
    reclaimRecord: reclaimRecordOf(config.home),
    bootTimeoutMs: config.bootTimeoutMs,
    lookEveryMs,
    drainMs: drainLimitMs,
  });
  const connect = (assignmentId: string) => connections.of(assignmentId);
  const server = serveGuests({
    socket: config.guestSocket,
    handlers: live.guard({ ...eyeHandlers, ...shellHandlers, ...fileHandlers }),
    connect,
    guestless: live.guestless,
    streams: live.door(connect),
    clock: systemClock,
    log,
  });
  const opened = await link.open();
  log.info('hostd started', { home: config.home, node: link.nodeName, driver: driver.capabilities.name });
  const sweeping = live.sweep(hostd, stop.signal);
  const end = await hostd.run(stop.signal);
  stop.abort();
  await Promise.all([sweeping, opened.close()]);
  await server.close(drainLimitMs);
  connections.closeAll();
  await closeDriver();
  return end;
}

async function openDriver(
  config: HostdConfig,
  log: Log,
  parts: { onChange: (vmRef: string) => void; identities: (assignmentId: string) => DerivedIdentity },
) {
  if (config.proxmox !== undefined) {
    const { openProxmoxDriver } = await import('./hypervisor/proxmox/driver.ts');
    const keysOf = (assignmentId: string) => {
      const { sshHostKey: hostKey, sshClientKey: clientKey } = parts.identities(assignmentId);
      return { hostKey, clientKey };
    };
    const driver = openProxmoxDriver({ settings: config.proxmox, clock: systemClock, log, keysOf });
    const closeDriver = () => Promise.resolve(driver.close());
    return { driver, fakeGuests: undefined, closeDriver, warm: undefined };
  }
  if (config.driver === 'fake') {
    const { FakeHypervisor } = await import('./hypervisor/fake.ts');
    const hypervisor = new FakeHypervisor({ clock: systemClock });
    hypervisor.templates.push(fakeTemplate);
    const driver: Driver = hypervisor.driver();
    return { driver, fakeGuests: hypervisor.guests(), closeDriver: () => Promise.resolve(), warm: undefined };
  }
  const { openQemuDriver } = await import('./hypervisor/qemu/driver.ts');
  const { home, resolver } = config;
  const { onChange } = parts;
  const driver = await openQemuDriver({ home, log, clock: systemClock, resolver, onChange });
  const warm = async ({ templateId, vcpus, memoryMiB }: WarmSize, signal: AbortSignal) => {
    const { warmTemplate } = await import('./template/warm.ts');
    return warmTemplate({
      home,
      templateId,
      size: { vcpus, memoryMiB },
      host: driver.host,
      clock: systemClock,
      signal,
    });
  };
  return { driver, fakeGuests: undefined, closeDriver: () => driver.close(), warm };
}

function identityCache(secret: Buffer): (assignmentId: string) => DerivedIdentity {
  const known = new Map<string, DerivedIdentity>();
  return (assignmentId) => {
    const there = known.get(assignmentId);
    if (there !== undefined) return there;
    if (known.size >= identitiesMax) known.clear();
    const derived = deriveIdentity(secret, assignmentId);
    known.set(assignmentId, derived);
    return derived;
  };
}

function guestIdentity(derived: DerivedIdentity, order: Assignment, boot: number): GuestIdentity {
  return {
    owner: order.assignmentId,
    boot,
    version: order.identityVersion,
    hostName: order.hostName,
    machineId: derived.machineId,
    mac: derived.mac,
    sshHostKey: derived.sshHostKey.privateKey,
    sshAuthorizedKey: `${derived.sshClientKey.publicKey} hostd`,
    clockMs: systemClock.nowMs(),
    entropy: randomBytes(64).toString('base64'),
    timeZone: order.timeZone,
    config: order.config,
  };
}
