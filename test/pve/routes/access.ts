import { Refusal } from '../api/refusal.ts';
import type { Routes } from '../world/world.ts';

const failedLoginMs = 3000;

/** Nobody of the double has a password: whoever tries one fails. */
export const accessRoutes: Routes = {
  'GET /access/permissions': ({ world, caller, given }) => {
    const who = given.userid === undefined ? caller : String(given.userid);
    // Somebody's own, and those of one's own tokens.
    if (who !== caller && who.split('!')[0] !== caller) world.permissions.check(caller, '/access', ['Sys.Audit']);
    return world.permissions.table(who, given.path === undefined ? undefined : String(given.path));
  },
  'GET /access/ticket': () => null,
  'POST /access/ticket': async ({ world }) => {
    await world.pace.wait(failedLoginMs);
    throw new Refusal(401, 'authentication failure');
  },
  'GET /access/domains': () => [
    { realm: 'pam', type: 'pam', comment: 'Linux PAM standard authentication' },
    { realm: 'pve', type: 'pve', comment: 'Proxmox VE authentication server' },
  ],
  'GET /access/roles': ({ world }) =>
    Object.entries(world.state.roles).map(([roleid, privs]) => ({ roleid, privs: privs.join(','), special: 0 })),
  'GET /access/roles/{roleid}': ({ world, given }) =>
    Object.fromEntries((world.state.roles[String(given.roleid)] ?? []).map((privilege) => [privilege, 1])),
  'GET /access/acl': ({ world, caller }) =>
    world.state.acl
      .filter((one) => world.permissions.any(caller, one.path, ['Permissions.Modify', 'Sys.Audit']))
      .map((one) => ({
        path: one.path,
        roleid: one.role,
        ugid: one.who,
        type: one.who.includes('!') ? 'token' : 'user',
        propagate: one.propagate ? 1 : 0,
      })),
};
