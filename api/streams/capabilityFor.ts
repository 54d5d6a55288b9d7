import type { Capability } from '../keys/capabilities.ts';
import type { StreamWish } from './tickets.ts';

/** Watching takes less than everything else; of what watches, hostd drops all input. */
export function capabilityFor({ kind, mode }: StreamWish): Capability {
  return kind === 'vnc' && mode !== 'control' ? 'desktop:view' : 'desktop:control';
}
