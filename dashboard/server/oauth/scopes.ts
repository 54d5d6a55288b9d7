import type { GrantCapability } from './oauthCalls.ts';

/** What a client can ask for: the capabilities that the tools of MCP need. */
export const scopes = [
  'desktop:read',
  'desktop:view',
  'desktop:lifecycle',
  'desktop:control',
  'desktop:create',
  'desktop:destroy',
  'files:read',
  'files:write',
] as const satisfies readonly GrantCapability[];

/** Those of a `scope` that there are; all of them where it names none. */
export function scopesOf(text: string): GrantCapability[] {
  const named = text.split(' ');
  const known = scopes.filter((scope) => named.includes(scope));
  return known.length > 0 ? known : [...scopes];
}
