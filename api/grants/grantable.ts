import type { Capability } from '../keys/capabilities.ts';

/** What an MCP client can be allowed: what the tools need, and nothing of people, keys and nodes. */
export const grantable = [
  'desktop:read',
  'desktop:view',
  'desktop:lifecycle',
  'desktop:control',
  'desktop:create',
  'desktop:destroy',
  'files:read',
  'files:write',
] as const satisfies readonly Capability[];
