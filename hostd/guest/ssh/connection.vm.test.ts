import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SshConnection, type SshLimits } from './connection.ts';
import { type NativeSshd, sshdLacks, startNativeSshd } from './nativeSshd.ts';

const lacks = sshdLacks();

describe.skipIf(lacks !== undefined)(`the SSH connection to a real sshd${lacks ? ` (${lacks})` : ''}`, () => {
  let sshd: NativeSshd;
  let opened = 0;
  const open: SshConnection[] = [];
  beforeAll(async () => {
    sshd = await startNativeSshd();
  });
  afterAll(() => {
    for (const ssh of open) ssh.close();
    sshd.stop();
  });

  const connect = (
    limits: Partial<SshLimits> = {},
    other: Partial<ConstructorParameters<typeof SshConnection>[0]> = {},
  ) => {
    opened = 0;
    const openStream = () => {
      opened += 1;
      return sshd.openStream();
    };
    const { username, privateKey, hostKey } = sshd;
    const ssh = new SshConnection({
      openStream,
      username,
      privateKey,
      hostKey,
      clock: systemClock,
      log: silentLog,
      limits,
      ...other,
    });
    open.push(ssh);
    return ssh;
  };
  const unreachable = expect.objectContaining({ code: 'guest_unreachable' });
  const closed = (channel: Duplex) => new Promise((resolve) => channel.once('close', resolve).resume());

  test('many channels share one connection, up to the limit', async () => {
    const ssh = connect({ channelsMax: 3 });
    const channels = await Promise.all([1, 2, 3].map(() => ssh.openSubsystem('sftp')));
    expect(opened).toBe(1);
    await expect(ssh.openSubsystem('sftp')).rejects.toEqual(unreachable);
    const gone = closed(channels[0]!);
    channels[0]!.destroy();
    await gone;
    await expect(ssh.openSubsystem('sftp')).resolves.toBeInstanceOf(Duplex);
    expect(opened).toBe(1);
  });

  test('another host key, and another client key, are refused', async () => {
    const other = await startNativeSshd();
    try {
      const impostor = connect({ backoffMaxMs: 10 }, { hostKey: other.hostKey });
      await expect(impostor.openSubsystem('sftp')).rejects.toEqual(unreachable);
      await expect(connect({}, { hostKey: '' }).openSubsystem('sftp')).rejects.toEqual(unreachable);
      await expect(connect({}, { privateKey: other.privateKey }).openSubsystem('sftp')).rejects.toEqual(unreachable);
    } finally {
      other.stop();
    }
  });

  test('a connection that broke is opened again by the next who needs it', async () => {
    const ssh = connect();
    const gone = closed(await ssh.openSubsystem('sftp'));
    sshd.cut();
    await gone;
    await ssh.openSubsystem('sftp');
    expect(opened).toBe(2);
  });

  test('it opens in the background after some failures, and is there then', async () => {
    let failures = 3;
    let isUp = false;
    const openStream = async () => {
      if (failures-- > 0) throw new Error('not yet');
      isUp = true;
      return sshd.openStream();
    };
    const ssh = connect({ backoffMaxMs: 20 }, { openStream });
    ssh.warm();
    for (let attempt = 0; attempt < 100 && !isUp; attempt++) await systemClock.sleep(20);
    expect(isUp).toBe(true);
    await ssh.openSubsystem('sftp');
    expect(failures).toBe(-1);
  });

  test('an idle connection is closed, a used one is not', async () => {
    const ssh = connect({ idleMs: 100 });
    const channel = await ssh.openSubsystem('sftp');
    await systemClock.sleep(250);
    expect(opened).toBe(1);
    const gone = closed(channel);
    channel.destroy();
    await gone;
    await systemClock.sleep(250);
    await ssh.openSubsystem('sftp');
    expect(opened).toBe(2);
  });

  test('a guest that says nothing is given up in time, and closing ends what waits', async () => {
    const silent = () => Promise.resolve(new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() }));
    const ssh = connect({ loginTimeoutMs: 100 }, { openStream: silent });
    await expect(ssh.openSubsystem('sftp')).rejects.toEqual(unreachable);
    const patient = connect({}, { openStream: () => new Promise(() => {}) });
    const waiting = patient.openSubsystem('sftp');
    await systemClock.sleep(20);
    patient.close();
    await expect(waiting).rejects.toEqual(unreachable);
    await expect(patient.openSubsystem('sftp')).rejects.toEqual(unreachable);
  });
});
