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
  'pve-vm-cpu-conf': {
    cputype: text(undefined, { default_key: 1 }),
    'reported-model': text(),
    hidden: { type: 'boolean', optional: 1 },
    'hv-vendor-id': text(undefined, { pattern: '[a-zA-Z0-9]{1,12}' }),
    flags: text(undefined, { pattern: '[+-][a-zA-Z0-9\\-_.]+(?:;[+-][a-zA-Z0-9\\-_.]+)*' }),
    'phys-bits': text(),
    'guest-phys-bits': { type: 'integer', optional: 1, minimum: 32, maximum: 64 },
  },
  'pve-qm-watchdog': {
    model: text(undefined, { default_key: 1, enum: ['i6300esb', 'ib700'] }),
    action: text(undefined, { enum: ['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none'] }),
  },
};

const cpuModels = new Set(
  '486 Broadwell Broadwell-IBRS Broadwell-noTSX Broadwell-noTSX-IBRS Cascadelake-Server Cascadelake-Server-noTSX Cascadelake-Server-v2 Cascadelake-Server-v4 Cascadelake-Server-v5 Conroe Cooperlake Cooperlake-v2 EPYC EPYC-Genoa EPYC-IBPB EPYC-Milan EPYC-Milan-v2 EPYC-Rome EPYC-Rome-v2 EPYC-Rome-v3 EPYC-Rome-v4 EPYC-v3 EPYC-v4 GraniteRapids Haswell Haswell-IBRS Haswell-noTSX Haswell-noTSX-IBRS Icelake-Client Icelake-Client-noTSX Icelake-Server Icelake-Server-noTSX Icelake-Server-v3 Icelake-Server-v4 Icelake-Server-v5 Icelake-Server-v6 IvyBridge IvyBridge-IBRS KnightsMill Nehalem Nehalem-IBRS Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 Opteron_G5 Penryn SandyBridge SandyBridge-IBRS SapphireRapids SapphireRapids-v2 Skylake-Client Skylake-Client-IBRS Skylake-Client-noTSX-IBRS Skylake-Client-v4 Skylake-Server Skylake-Server-IBRS Skylake-Server-noTSX-IBRS Skylake-Server-v4 Skylake-Server-v5 Westmere Westmere-IBRS athlon core2duo coreduo host kvm32 kvm64 max pentium pentium2 pentium3 phenom qemu32 qemu64 x86-64-v2 x86-64-v2-AES x86-64-v3 x86-64-v4'.split(
    ' ',
  ),
);

/** What a format checks once each key is right. */
export const validators: Record<string, (parsed: Record<string, string>) => string | undefined> = {
  'pve-vm-cpu-conf': ({ cputype }) => {
    if (cputype === undefined || cpuModels.has(cputype)) return undefined;
    if (cputype.startsWith('custom-')) return `Custom cputype '${cputype.slice(7)}' not found`;
    return `Built-in cputype '${cputype}' is not defined (missing 'custom-' prefix?)`;
  },
};

/** IDE drives take what SATA drives take, and a model besides. */
export function nameDriveFormats(properties: Record<string, Property>): void {
  const sata = properties['sata[n]']?.format;
  if (typeof sata !== 'object') return;
  namedFormats['pve-qm-ide'] = { ...sata, model: text() };
}
