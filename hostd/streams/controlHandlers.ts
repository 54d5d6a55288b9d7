import type { components } from '@lebureau/openapi/node';
import { answer, noContent, type GuestHandlers } from '../guest/server/operation.ts';
import type { ControlLeases } from './controlLeases.ts';

/** Taking control, and handing it back. */
export function controlHandlers(leases: ControlLeases): GuestHandlers {
  return {
    getControl: (_guest, { assignmentId }) => Promise.resolve(answer(leases.of(assignmentId))),
    takeControl: async (guest, call) => {
      const wish = await call.json<components['schemas']['TakeControl']>();
      const lease = leases.take(call.assignmentId, { ...wish, by: call.headers.get('x-caller') });
      // What an agent held down would go on moving things under the hands of the person.
      if (wish.kind === 'human') await guest.eyes.letGo();
      return answer(lease);
    },
    handBackControl: (_guest, call) => {
      leases.handBack(call.assignmentId, call.headers.get('control-lease') ?? undefined);
      return Promise.resolve(noContent());
    },
  };
}
