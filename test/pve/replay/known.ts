import type { Version } from '../world/state.ts';

/** Exchanges that differ for a reason outside the double, and the reason. Anything else that differs fails the replay. */
export const knownDifferences: Record<Version, Record<string, string>> = {
  '8.4': {
    'life-02-config 6': 'whether pvestatd had looked at the new VM yet',
    'pools 5': 'whether pvestatd had looked at the new VM yet',
    'tags 9': 'VM 4101 had a lock that an unrecorded step left behind',
    'err-clone-race-many 8': 'which of three workers got the lock first',
    'err-clone-race-many 10': 'which of three workers got the lock first',
    'err-clone-race-many 11': 'which of three workers got the lock first',
    'err-clone-race-many 13': 'which of three workers got the lock first',
    'err-task-delete-running 4': 'a task of an unrecorded step whose worker had been killed',
  },
  '9.2': {
    'world-tasks 4': 'the newest task had just ended and its `saved` was still a number',
    'life-02-config 6': 'pvestatd had just been started and had looked at nothing',
    'lockrace-27-start 6': 'a worker took 60 ms longer than its neighbours',
    'err-clone-race-many 3': 'which of four requests came after the first worker had begun',
  },
};
