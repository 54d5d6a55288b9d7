import type { Example } from './document.ts';
import { guestExamples } from './guestExamples.ts';

const assignmentId = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';
const templateId = 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4';

const pemExample = '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n';

export const nodeExamples: Record<string, Example> = {
  ...guestExamples,
  openStream: {},
  putTerminalRecording: {},
  giveRecording: { response: { isWanted: true } },
  hello: {
    request: {
      nodeName: 'node-1',
      version: '0.1.0',
      protocols: [1],
      guestAddress: 'unix:/var/lib/lebureau/run/guest.sock',
      driver: 'qemu',
      accelerator: 'kvm',
      acceleratorReason: 'A probe VM ran under KVM.',
      hypervisorVersion: 'QEMU 7.2.22',
      vcpus: 8,
      memoryMiB: 32_768,
      diskFreeMiB: 400_000,
      diskHeldMiB: 100_000,
      network: 'isolated',
      networkReason: 'Network namespaces and nft work.',
      templates: [
        { id: templateId, name: 'xfce-bookworm', warmSizes: ['1x1024'], diskMiB: 1700, builtAtMs: 1_795_000_000_000 },
      ],
    },
    response: {
      nodeId: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4',
      epoch: 3,
      reclaimAfterSeconds: 600,
      protocol: 1,
      apiAddresses: ['https://api.example.org:7443'],
      metricsEverySeconds: 10,
    },
  },
  getTrustAnchor: { response: { authority: pemExample } },
  join: {
    request: {
      token: `lbj_${'A'.repeat(43)}.${'0'.repeat(64)}`,
      nodeName: 'node-1',
      certificateRequest: '-----BEGIN CERTIFICATE REQUEST-----\n…\n-----END CERTIFICATE REQUEST-----\n',
    },
    response: {
      nodeId: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4',
      certificate: pemExample,
      expiresAtMs: 1_797_592_000_000,
    },
  },
  renewCertificate: {
    request: { certificateRequest: '-----BEGIN CERTIFICATE REQUEST-----\n…\n-----END CERTIFICATE REQUEST-----\n' },
    response: { certificate: pemExample, expiresAtMs: 1_797_592_000_000 },
  },
  listAssignments: {
    response: {
      epoch: 3,
      revision: '41',
      assignments: [
        {
          assignmentId,
          desktopId: 'dsk_01k9x3v6m8e9t2q4r6s8v0w2y4',
          vmRef: 'lb-01k9x3v6m8e9t2q4r6s8v0w2y4',
          templateId,
          hardware: { vcpus: 1, memoryMiB: 1024, diskGiB: 8 },
          network: 'internet',
          hostName: 'research',
          timeZone: 'Etc/UTC',
          desired: 'running',
          desiredBoot: 1,
          generation: 1,
          identityVersion: 0,
          cloneSeen: false,
          gracefulStopSeconds: 30,
          config: '{}',
        },
      ],
    },
  },
  reportMetrics: {
    request: {
      epoch: 3,
      seq: 7,
      samples: [
        {
          ageMs: 3,
          overMs: 10_004,
          values: [
            {
              assignmentId,
              cpuMs: 480,
              memoryUsedKiB: 655_360,
              memoryHostKiB: 131_072,
              diskUsedKiB: 204_800,
              diskReadBytes: 0,
              diskWrittenBytes: 40_960,
              networkReceivedBytes: 1200,
              networkSentBytes: 900,
            },
          ],
        },
      ],
    },
    response: { dropped: 0 },
  },
  reportObservations: {
    request: {
      epoch: 3,
      seq: 12,
      observations: [
        {
          assignmentId,
          generation: 1,
          presence: 'present',
          power: 'running',
          boot: 1,
          ready: true,
          agentReady: true,
          startMode: 'warm',
          ipAddress: '10.0.2.15',
          fault: null,
          atMs: 1_795_000_000_000,
        },
      ],
      strangers: [],
    },
    response: { refused: [] },
  },
};
