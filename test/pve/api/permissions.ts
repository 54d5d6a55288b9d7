import type { State } from '../world/state.ts';
import { versionFacts } from '../world/versions.ts';
import type { Check, Method } from './reference.ts';
import { forbidden } from './refusal.ts';
import type { Parameters } from './verify.ts';

/** Who calls: `user@realm!token`. */
export type Caller = string;

const wholePaths = ['/', '/access', '/access/groups', '/nodes', '/pool', '/sdn', '/storage', '/vms'];

export class Permissions {
  constructor(private readonly state: State) {}

  /** Privileges on a path and whether they propagate. A pool's rights hold for its VMs and storages. */
  on(caller: Caller, path: string): Map<string, boolean> {
    const token = this.state.tokens[caller];
    const own = this.granted(caller, path);
    if (!caller.includes('!')) return own;
    const users = this.ofUser(caller.split('!')[0] ?? '', path);
    if (token && !token.privsep) return users;
    // A token has what both have, and passes on what both pass on.
    return new Map(
      [...own].flatMap(([privilege, propagates]) => {
        const user = users.get(privilege);
        return user === undefined ? [] : [[privilege, propagates && user] as const];
      }),
    );
  }

  check(caller: Caller, path: string, privileges: string[]): void {
    const has = this.on(caller, path);
    const lacking = privileges.find((one) => !has.has(one));
    if (lacking !== undefined) throw forbidden(`${path}, ${lacking}`);
  }

  checkAny(caller: Caller, path: string, privileges: string[]): void {
    if (!this.any(caller, path, privileges)) throw forbidden(`${path}, ${privileges.join('|')}`);
  }

  any(caller: Caller, path: string, privileges: string[]): boolean {
    const has = this.on(caller, path);
    return privileges.some((one) => has.has(one));
  }

  /** The schema's `permissions` of a method. */
  checkMethod(caller: Caller, method: Method, given: Parameters): void {
    if (method.permissions === null) throw forbidden('user != root@pam');
    const { user, check } = method.permissions;
    if (user === 'all' || user === 'world') return;
    if (check === undefined) throw forbidden();
    this.run(caller, check, given);
  }

  private run(caller: Caller, check: Check, given: Parameters): void {
    const [test, ...rest] = check;
    if (test === 'and') for (const one of rest) this.run(caller, one as Check, given);
    else if (test === 'or') {
      for (const one of rest) {
        try {
          return this.run(caller, one as Check, given);
        } catch {
          continue;
        }
      }
      throw forbidden();
    } else if (test === 'perm') this.runPerm(caller, rest, given);
    else throw forbidden();
  }

  private runPerm(caller: Caller, rest: Check[number][], given: Parameters): void {
    const [template, names, ...options] = rest as [string, string[], ...(string | number)[]];
    for (let at = 0; at < options.length; at++) {
      if (options[at] === 'require_param' && given[String(options[at + 1])] === undefined) throw forbidden();
    }
    const path = normal(template.replace(/\{([^}]+)\}/g, (_, name: string) => String(given[name] ?? '')));
    const privileges = this.translate(names, path);
    if (options.includes('any')) this.checkAny(caller, path, privileges);
    else this.check(caller, path, privileges);
  }

  /** Version 8 has one privilege for the agent and for QEMU's monitor. */
  private translate(names: string[], path: string): string[] {
    const { agentPrivilege } = versionFacts[this.state.version];
    if (agentPrivilege !== undefined && path.startsWith('/vms/') && names.includes('Sys.Audit'))
      return [agentPrivilege];
    if (agentPrivilege === undefined || !names.some((name) => name.startsWith('VM.GuestAgent.'))) return names;
    const others = names.filter((name) => !name.startsWith('VM.GuestAgent.'));
    return [...others, agentPrivilege];
  }

  private ofUser(user: string, path: string): Map<string, boolean> {
    if (user !== 'root@pam') return this.granted(user, path);
    return new Map(Object.values(this.state.roles).flatMap((all) => all.map((one) => [one, true] as const)));
  }

  private granted(who: string, path: string): Map<string, boolean> {
    const roles = this.roles(who, path);
    const vm = /^\/vms\/(\d+)$/.exec(path);
    if (vm) {
      const pool = Object.entries(this.state.pools).find(([, one]) => one.members.includes(Number(vm[1])));
      // What comes from a pool adds to an entry of its own, and passes nothing on.
      for (const role of pool === undefined ? [] : this.roles(who, `/pool/${pool[0]}`).keys()) {
        if (!roles.has(role)) roles.set(role, false);
      }
    }
    const privileges = new Map<string, boolean>();
    for (const [role, propagate] of roles) {
      for (const one of this.state.roles[role] ?? []) privileges.set(one, propagate || privileges.get(one) === true);
    }
    return privileges;
  }

  /** A deeper entry replaces what came from above. */
  private roles(who: string, path: string): Map<string, boolean> {
    const parts = path.split('/').filter((part) => part !== '');
    let roles = new Map<string, boolean>();
    for (let depth = 0; depth <= parts.length; depth++) {
      const here = `/${parts.slice(0, depth).join('/')}`;
      const last = depth === parts.length;
      const entries = this.state.acl.filter((one) => one.who === who && one.path === here && (one.propagate || last));
      if (entries.length > 0) roles = new Map(entries.map((one) => [one.role, one.propagate]));
    }
    return roles;
  }

  /** `GET /access/permissions`: every path that an entry, a pool or a fixed name exists for; one asked for by name, always. */
  table(caller: Caller, only?: string): Record<string, Record<string, number>> {
    if (only !== undefined) return { [only]: this.numbers(caller, only) };
    const named = this.state.acl.flatMap((one) => withParents(one.path));
    const pooled = Object.values(this.state.pools).flatMap((pool) => pool.members.map((vmid) => `/vms/${vmid}`));
    const table: Record<string, Record<string, number>> = {};
    for (const path of new Set([...wholePaths, ...named, ...pooled])) {
      const has = this.numbers(caller, path);
      if (Object.keys(has).length > 0) table[path] = has;
    }
    return table;
  }

  private numbers(caller: Caller, path: string): Record<string, number> {
    return Object.fromEntries([...this.on(caller, path)].map(([one, propagate]) => [one, propagate ? 1 : 0]));
  }
}

/** normalize_path of AccessControl.pm: no slash at the end, none twice. */
function normal(path: string): string {
  const short = path.replace(/\/+/g, '/').replace(/\/$/, '');
  return short === '' ? '/' : short;
}

function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((_, at) => `/${parts.slice(0, at + 1).join('/')}`);
}
