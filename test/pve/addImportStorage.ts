import type { State } from './world/state.ts';

/** What root sets up for uploads of templates, and lets the token of `desk@pve` do there. */
export function addImportStorage(state: State): void {
  const path = '/var/lib/lebureau-import';
  const room = { totalBytes: 50 * 2 ** 30, otherBytes: 0 };
  state.storages.lebureau ??= { type: 'dir', content: ['import'], path, shared: false, ...room };
  state.roles.DeskImport = ['Datastore.Allocate', 'Datastore.AllocateTemplate', 'Datastore.Audit'];
  for (const who of ['desk@pve', 'desk@pve!t1'])
    state.acl.push({ path: '/storage/lebureau', who, role: 'DeskImport', propagate: true });
}
