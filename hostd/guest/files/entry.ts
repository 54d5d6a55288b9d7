import { toRfc3339 } from '@lebureau/kit/clock';
import type { components } from '@lebureau/openapi/node';
import type { Attributes } from './sftpPacket.ts';

export type FileEntry = components['schemas']['FileEntry'];

const typeMask = 0o170000;
const types: Readonly<Record<number, FileEntry['type']>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
};

export function typeOf(attributes: Attributes): FileEntry['type'] {
  return types[attributes.mode & typeMask] ?? 'other';
}

/** `name` as bytes where they may not be UTF-8. */
export function toEntry(path: string, name: Uint8Array | string, attributes: Attributes): FileEntry {
  const text = typeof name === 'string' ? name : Buffer.from(name).toString();
  const isText = typeof name === 'string' || Buffer.from(text).equals(name);
  return {
    name: text,
    path,
    type: typeOf(attributes),
    sizeBytes: attributes.sizeBytes,
    mode: (attributes.mode & 0o7777).toString(8).padStart(4, '0'),
    uid: attributes.uid,
    gid: attributes.gid,
    modifiedAt: toRfc3339(attributes.modifiedSeconds * 1000),
    linkTarget: null,
    ...(isText ? {} : { nameBase64: Buffer.from(name).toString('base64') }),
  };
}
