import { Fault } from '@lebureau/kit/fault';
import { type GuestIdentity, identityMark, type InitExecRequest, type InitHealth } from './channel.ts';
import { decodeFields, encodeFields, type Fields } from './fields.ts';
import { payloadMaxBytes } from './frame.ts';

/** Frame types; hostd/template/init/PROTOCOL.md describes them. An answer carries its question's type with the top bit set. */
export const messageType = {
  hello: 0x01,
  health: 0x02,
  identify: 0x03,
  exec: 0x04,
  stdin: 0x05,
  stdinEnd: 0x06,
  kill: 0x07,
  forget: 0x08,
  connect: 0x09,
  stdout: 0x21,
  stderr: 0x22,
  exit: 0x23,
  credit: 0x24,
  answer: 0x80,
  error: 0xff,
} as const;

const textMaxCharacters = 512;

/** @param clockMs what the guest's clock shall say when it reads this. @throws Fault when a part cannot be sent. */
export function identifyMessage(identity: GuestIdentity, clockMs: number): Buffer {
  const publicKey = openSshPublicKey(identity.sshHostKey);
  const fields: Fields = [
    ['identity', identityMark(identity)],
    ['hostName', identity.hostName],
    ['machineId', identity.machineId],
    ['mac', identity.mac],
    ['sshHostKey', withLineEnd(identity.sshHostKey)],
    ...(publicKey ? ([['sshHostKeyPublic', publicKey]] as const) : []),
    ['sshAuthorizedKey', withLineEnd(identity.sshAuthorizedKey)],
    ['timeZone', identity.timeZone],
    ['config', identity.config],
    ['entropy', Buffer.from(identity.entropy, 'base64').toString('hex')],
    ['clockMs', String(Math.round(clockMs))],
  ];
  return checkedSize(encodeFields(fields), 'the identity');
}

/** Sets the clock again and nothing else: what the message leaves out stays as it is in the guest. */
export function clockMessage(identity: GuestIdentity, clockMs: number): Buffer {
  return encodeFields([
    ['identity', identityMark(identity)],
    ['clockMs', String(Math.round(clockMs))],
  ]);
}

export function execMessage(request: InitExecRequest): Buffer {
  const environment = Object.entries(request.env ?? {});
  for (const [name] of environment) {
    if (name === '' || name.includes('='))
      throw new Fault('invalid_request', 'an environment variable has an unusable name');
  }
  const fields: Fields = [
    ['user', request.user],
    ...(request.cwd === undefined ? [] : ([['cwd', request.cwd]] as const)),
    ...environment.map(([name, value]) => ['env', `${name}=${value}`] as const),
    ['timeoutMs', String(Math.ceil(request.timeoutMs))],
    ['outputMaxBytes', String(Math.floor(request.outputMaxBytes))],
    ...(request.stdin ? ([['stdin', '1']] as const) : []),
    ...request.argv.map((argument) => ['argv', argument] as const),
  ];
  return checkedSize(encodeFields(fields), 'the command');
}

/** Every text of the answer is cut and every number is made one, since the guest may send anything. */
export function readHealth(payload: Uint8Array): InitHealth {
  const fields = decodeFields(payload);
  const text = (key: string) => fields.get(key)?.slice(0, textMaxCharacters);
  const number = (key: string) => {
    const value = Number(fields.get(key));
    return Number.isFinite(value) && value >= 0 ? value : 0;
  };
  const identity = text('identity');
  return {
    protocol: number('protocol'),
    programVersion: text('programVersion') ?? '',
    ...(identity === undefined ? {} : { identity }),
    uptimeSeconds: number('uptimeSeconds'),
    memoryFreeMiB: number('memoryFreeMiB'),
    diskFreeMiB: number('diskFreeMiB'),
    displayUp: text('displayUp') === '1',
    windowManagerUp: text('windowManagerUp') === '1',
  };
}

/** What the guest spent on an identify by its own clock; 0 when it does not say. */
export function readElapsedMs(payload: Uint8Array): number {
  const elapsedMs = Number(decodeFields(payload).get('elapsedMs'));
  return Number.isFinite(elapsedMs) && elapsedMs > 0 ? elapsedMs : 0;
}

export function readError(payload: Uint8Array): { code: string; detail: string } {
  const fields = decodeFields(payload);
  return {
    code: (fields.get('code') ?? 'unknown').slice(0, textMaxCharacters),
    detail: (fields.get('detail') ?? '').slice(0, textMaxCharacters),
  };
}

function checkedSize(payload: Buffer, what: string): Buffer {
  if (payload.length <= payloadMaxBytes) return payload;
  throw new Fault('payload_too_large', `${what} is longer than ${payloadMaxBytes} bytes`, {
    hint: 'Write long input to a file or send it by stdin.',
  });
}

function withLineEnd(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** The public half out of an unencrypted OpenSSH private key (PROTOCOL.key of OpenSSH), as one line. */
function openSshPublicKey(privateKey: string): string | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(privateKey)?.[1];
  if (!body) return undefined;
  const bytes = Buffer.from(body.replaceAll(/\s/g, ''), 'base64');
  let at = 'openssh-key-v1\0'.length;
  const take = () => {
    const length = bytes.readUInt32BE(at);
    const part = bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return part;
  };
  try {
    for (let skipped = 0; skipped < 3; skipped++) take(); // cipher, key derivation and its options
    at += 4; // number of keys
    const key = take();
    const type = key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
    return `${type} ${key.toString('base64')}\n`;
  } catch {
    return undefined;
  }
}
