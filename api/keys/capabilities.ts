/** Every capability of an API key and what it allows. `read` marks those a read-only key may have. */
export const capabilities = {
  'desktop:read': 'List desktops, see one with its status; list templates',
  'desktop:view': 'Watch the screen, live or as screenshots; list its windows; part of desktop:control',
  'desktop:lifecycle': 'Start, stop and restart desktops; change their name and labels',
  'desktop:control': 'See the screen, use mouse, keyboard, clipboard, windows and shell',
  'desktop:chat': 'Talk to the agent on a desktop',
  'desktop:create': 'Create desktops',
  'desktop:destroy': 'Delete desktops',
  'files:read': 'List and read files of a desktop',
  'files:write': 'Write, move and delete files of a desktop',
  'events:read': 'Follow the events of the workspace',
  'keys:write': 'List, create and revoke API keys',
  'nodes:read': 'List nodes',
  'nodes:write': 'Let nodes join; cordon, drain, fence and decommission them',
  'metrics:read': 'See what desktops use: processor, memory, disk, network',
  'users:read': 'List the people of the workspace',
  'users:write': 'Invite people, change their roles, remove them',
} as const;

export type Capability = keyof typeof capabilities;
export const allCapabilities = Object.keys(capabilities) as Capability[];
/** What a key gets that is created without saying which. */
export const defaultCapabilities: readonly Capability[] = ['desktop:read', 'desktop:chat'];

/** Whether somebody with these may do what wants `wanted`: who may use a screen may watch it. */
export function allows(held: ReadonlySet<Capability>, wanted: Capability): boolean {
  return held.has(wanted) || (wanted === 'desktop:view' && held.has('desktop:control'));
}
