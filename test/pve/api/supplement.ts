import type { Method } from './reference.ts';

const audited: Method['permissions'] = { check: ['perm', '/', ['Sys.Audit']] };
const onNode = { properties: { node: { type: 'string', format: 'pve-node' } }, additionalProperties: 0 };
const anything = { type: 'any' };

/** Calls that the recordings hold and the schema file leaves out. */
export const supplement: Record<string, Method> = {
  'GET /cluster/ha/status/current': {
    parameters: { additionalProperties: 0, properties: {} },
    permissions: audited,
    returns: { type: 'array' },
  },
  'GET /nodes/{node}/time': {
    parameters: onNode,
    permissions: { check: ['perm', '/nodes/{node}', ['Sys.Audit']] },
    returns: anything,
    proxyto: 'node',
  },
};
