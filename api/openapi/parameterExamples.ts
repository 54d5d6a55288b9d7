import type { Json } from './jsonSchema.ts';

/** One value for each parameter that some operation cannot do without, by its name. */
export const parameterExamples: Readonly<Record<string, Json>> = {
  beganAt: 1_795_000_000,
  offset: 0,
  totalBytes: 20_000,
  changedAtMs: 1_795_000_060_000,
  assignmentId: 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4',
  desktopId: 'dsk_01k9x3v6m8e9t2q4r6s8v0w2y4',
  keyId: 'key_01k9x3v6m8e9t2q4r6s8v0w2y4',
  nodeId: 'nod_01k9x3v6m8e9t2q4r6s8v0w2y4',
  userId: 'usr_01k9x3v6m8e9t2q4r6s8v0w2y4',
  grantId: 'grt_01k9x3v6m8e9t2q4r6s8v0w2y4',
  sessionId: 'ses_01k9x3v6m8e9t2q4r6s8v0w2y4',
  templateId: 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4',
  processId: 'prc_01k9x3v6m8e9t2q4r6s8v0w2y4',
  windowId: '0x3a00007',
  path: '~/notes.txt',
  uploadId: 'upl_01k9x3v6m8e9t2q4r6s8v0w2y4',
  terminalName: 'main',
  kind: 'vnc',
  ticket: `lbt_${'A'.repeat(43)}`,
  epoch: 3,
};
