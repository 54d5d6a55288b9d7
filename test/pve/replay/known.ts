import type { Version } from '../world/state.ts';

/** Exchanges that differ for a reason outside the double, and the reason. Anything else that differs fails the replay. */
export const knownDifferences: Record<Version, Record<string, string>> = {
  '8.4': {
    'err-task-delete-running 4': 'a task of an unrecorded step whose worker had been killed',
  },
  '9.2': {
    'world-tasks 4': 'the newest task had just ended and its `saved` was still a number',
    'lockrace-27-start 6': 'a worker took 60 ms longer than its neighbours',
  },
};
