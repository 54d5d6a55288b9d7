import { badParameters } from '../api/refusal.ts';
import type { Call } from '../world/world.ts';

/** Parameters that stand in the schema and are root's alone; a token is never root. */
export function refuseRootOnly(call: Call, ...names: string[]): void {
  for (const name of names) {
    const value = call.given[name];
    if (value !== undefined && value !== 0 && value !== '') {
      throw badParameters({ [name]: 'Only root may use this option.' });
    }
  }
}
