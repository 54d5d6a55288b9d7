import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceDurably } from '../replaceDurably.ts';
import type { Lease } from './controlLeases.ts';

/** Where hostd keeps who holds control, so that its restart does not take a desktop away from a person. */
export interface LeaseRecord {
  read(): Iterable<[string, Lease]>;
  /** It is on the disk when this returns. */
  write(leases: ReadonlyMap<string, Lease>): void;
}

/** The file `control.json` of this home. One that cannot be read is as if nobody held anything. */
export function leaseRecordOf(home: string): LeaseRecord {
  const path = join(home, 'control.json');
  return {
    read: () => {
      try {
        return (JSON.parse(readFileSync(path, 'utf8')) as [string, Lease][]).filter(isLease);
      } catch {
        return [];
      }
    },
    write: (leases) => replaceDurably(path, JSON.stringify([...leases])),
  };
}

function isLease(entry: unknown): entry is [string, Lease] {
  const [assignmentId, lease] = Array.isArray(entry) ? (entry as [unknown, Partial<Lease>?]) : [];
  return (
    typeof assignmentId === 'string' &&
    typeof lease?.tokenHash === 'string' &&
    typeof lease.expiresMs === 'number' &&
    typeof lease.ttlMs === 'number' &&
    typeof lease.holder?.name === 'string'
  );
}
