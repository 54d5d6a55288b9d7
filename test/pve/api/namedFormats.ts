import type { Property } from './reference.ts';

type Table = Record<string, Property>;

const text = (format?: string, more: Partial<Property> = {}): Property => ({
  type: 'string',
  optional: 1,
  format,
  ...more,
});
const base64 = text(undefined, { pattern: '[A-Za-z0-9+\\/]+={0,2}' });

/** Formats that the schema only names and that are lists of `key=value`: each key checked by itself. */
export const namedFormats: Record<string, Table> = {
  'pve-qm-ipconfig': {
    ip: text('pve-ipv4-config'),
    gw: text('ipv4', { requires: 'ip' }),
    ip6: text('pve-ipv6-config'),
    gw6: text('ipv6', { requires: 'ip6' }),
  },
  'pve-qm-boot': {
    legacy: text(undefined, { default_key: 1, pattern: '[acdn]{1,4}' }),
    order: text('pve-bootdev-list'),
  },
  'pve-qm-cicustom': {
    meta: text('pve-volume-id'),
    network: text('pve-volume-id'),
    user: text('pve-volume-id'),
    vendor: text('pve-volume-id'),
  },
  'pve-qm-smbios1': {
    uuid: text(undefined, { pattern: '[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}' }),
    version: base64,
    serial: base64,
    manufacturer: base64,
    product: base64,
    sku: base64,
    family: base64,
    base64: { type: 'boolean', optional: 1 },
  },
  'pve-qm-watchdog': {
    model: text(undefined, { default_key: 1, enum: ['i6300esb', 'ib700'] }),
    action: text(undefined, { enum: ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none'] }),
  },
};

/** IDE drives take what SATA drives take, and a model besides. */
export function nameDriveFormats(properties: Record<string, Property>): void {
  const sata = properties['sata[n]']?.format;
  if (typeof sata !== 'object') return;
  namedFormats['pve-qm-ide'] = { ...sata, model: text() };
}
