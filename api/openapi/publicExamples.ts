import type { Example } from './document.ts';
import { guestExamples } from './guestExamples.ts';
import type { Json } from './jsonSchema.ts';

const at = '2026-11-20T10:00:00.000Z';
const desktop = {
  id: 'dsk_01k9x3v6m8e9t2q4r6s8v0w2y4',
  name: 'research',
  status: 'running',
  ready: true,
  agentReady: true,
  allowedActions: ['stop', 'restart', 'delete'],
  tier: 'nano',
  size: 'nano',
  hardware: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  template: { id: 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4', name: 'xfce-bookworm' },
  labels: { team: 'lab' },
  network: 'internet',
  timeZone: 'Etc/UTC',
  ipAddress: '10.0.2.15',
  nodeId: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4',
  startMode: 'warm',
  ephemeral: false,
  ttlSeconds: null,
  expiresAt: null,
  keepAlive: true,
  control: null,
  error: null,
  createdAt: at,
  timings: {
    createdAt: at,
    startedAt: at,
    runningAt: '2026-11-20T10:00:00.600Z',
    readyAt: '2026-11-20T10:00:00.800Z',
    destroyedAt: null,
  },
} satisfies Json;
const pending: Json = {
  ...desktop,
  status: 'pending',
  ready: false,
  agentReady: false,
  allowedActions: ['stop', 'delete'],
  ipAddress: null,
  startMode: null,
  timings: { ...desktop.timings, runningAt: null, readyAt: null },
};
const key = {
  id: 'key_01k9x3v6m8e9t2q4r6s8v0w2y4',
  name: 'my agent',
  lastFour: '3kQ9',
  capabilities: ['desktop:read', 'desktop:control'],
  restriction: null,
  createdAt: at,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
} satisfies Json;
const template: Json = {
  id: 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4',
  name: 'xfce-bookworm',
  diskMiB: 1700,
  builtAt: at,
  warmSizes: ['1x1024'],
  nodeIds: ['nod_01k9x3v6m8e9t2q4r6s8v0w2y4'],
};
const node = {
  id: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4',
  name: 'node-1',
  status: 'up',
  cordoned: false,
  drain: null,
  version: '0.1.0',
  driver: 'qemu',
  accelerator: 'kvm',
  acceleratorReason: 'A probe VM ran under KVM.',
  hypervisorVersion: 'QEMU 7.2.22',
  network: 'isolated',
  networkReason: 'Network namespaces and nft work.',
  labels: { zone: 'a' },
  capacity: { vcpus: 8, memoryMiB: 32_768, diskMiB: 500_000, diskFreeMiB: 400_000 },
  reserved: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
  templateIds: ['tpl_01k9x3v6m8e9t2q4r6s8v0w2y4'],
  strangers: 0,
  lastHeardAt: at,
} satisfies Json;
const event = {
  id: 'evt_01k9x3v6m8e9t2q4r6s8v0w2y4',
  type: 'desktop.ready',
  createdAt: at,
  desktopId: desktop.id,
  actor: { type: 'node', id: node.id },
  requestId: null,
  data: {},
} satisfies Json;
const figures = { desktops: 100, vcpus: 400, memoryMiB: 1_048_576, diskGiB: 8000 };

export const publicExamples: Record<string, Example> = {
  ...guestExamples,
  createStream: {
    request: { kind: 'vnc', mode: 'control' },
    response: {
      kind: 'vnc',
      ticket: `lbt_${'A'.repeat(43)}`,
      path: `/v1/desktops/${desktop.id}/streams/vnc`,
      expiresAt: '2026-11-20T10:00:30.000Z',
    },
  },
  connectStream: {},
  listDesktops: { response: { data: [desktop], nextCursor: null } },
  createDesktop: { request: { name: 'research', size: 'nano', labels: { team: 'lab' } }, response: pending },
  getDesktop: { response: desktop },
  updateDesktop: { request: { name: 'research', labels: { team: 'lab' } }, response: desktop },
  deleteDesktop: {
    response: { ...desktop, status: 'destroying', ready: false, agentReady: false, allowedActions: [] },
  },
  startDesktop: { response: pending },
  stopDesktop: {
    response: { ...desktop, status: 'stopping', ready: false, agentReady: false, allowedActions: ['delete'] },
  },
  restartDesktop: {
    response: { ...desktop, status: 'stopping', ready: false, agentReady: false, allowedActions: ['delete'] },
  },
  listKeys: { response: { data: [key], nextCursor: null } },
  createKey: {
    request: { name: 'my agent', capabilities: ['desktop:read', 'desktop:control'] },
    response: { key, secret: 'lb_live_…' },
  },
  revokeKey: {},
  streamEvents: { response: `id: 41\nevent: desktop.ready\ndata: ${JSON.stringify(event)}\n\n` },
  getMe: {
    response: {
      workspace: { id: 'wsp_01k9x3v6m8e9t2q4r6s8v0w2y4', name: 'default' },
      key: { id: key.id, name: key.name, lastFour: key.lastFour, expiresAt: null },
      capabilities: key.capabilities,
      restriction: null,
      user: null,
      role: 'member',
      tier: 'max',
      quota: { limit: figures, used: { desktops: 1, vcpus: 1, memoryMiB: 1024, diskGiB: 8 } },
    },
  },
  getAbout: {
    response: {
      name: 'Le Bureau',
      version: '0.1.0',
      license: 'AGPL-3.0-or-later',
      source: 'https://example.org/lebureau',
      contract: '/v1/openapi.json',
    },
  },
  getContract: { response: { openapi: '3.1.0' } },
  getHealth: { response: { status: 'ok' } },
  getReadiness: { response: { status: 'ok' } },
  getMetrics: { response: 'lebureau_requests_total{operation="getHealth",status="200"} 7\n' },
  listTemplates: { response: { data: [template], nextCursor: null } },
  getTemplate: { response: template },
  updateNode: { request: { labels: { zone: 'a' } }, response: node },
  cordonNode: { response: { ...node, cordoned: true } },
  uncordonNode: { response: node },
  drainNode: {
    request: { graceSeconds: 300 },
    response: { ...node, cordoned: true, drain: { stopsAt: at, drainedAt: null, move: 'unsupported' } },
  },
  fenceNode: { response: { ...node, cordoned: true, status: 'fenced' } },
  decommissionNode: {
    request: { force: false },
    response: { ...node, name: `node-1.${node.id}`, cordoned: true, status: 'decommissioned' },
  },
  createJoinToken: {
    request: { nodeName: 'node-2', labels: { zone: 'a' }, expiresInSeconds: 600 },
    response: {
      joinToken: { id: 'jtk_01k9x3v6m8e9t2q4r6s8v0w2y4', nodeName: 'node-2', expiresAt: at },
      token: `lbj_${'A'.repeat(43)}.${'0'.repeat(64)}`,
      command: `npm run bun hostd/main.ts join https://api.example.org:7443 lbj_${'A'.repeat(43)}.${'0'.repeat(64)}`,
    },
  },
  listNodes: { response: { data: [node], nextCursor: null } },
  getNode: { response: node },
};
