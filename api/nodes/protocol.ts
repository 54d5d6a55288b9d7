import { Fault } from '@lebureau/kit/fault';

/**
 * Versions of the node contract that this API speaks, oldest first. A version changes only when an older side would
 * misunderstand; members that are added, and may be missing, change none.
 */
export const protocols: readonly number[] = [1];
/** What hostd spoke before it said so. */
const unsaid: readonly number[] = [1];

/** @returns the newest version of both. @throws Fault `unsupported_version` that names what each speaks */
export function chooseProtocol(theirs: readonly number[] = unsaid): number {
  const both = protocols.filter((version) => theirs.includes(version));
  const newest = both.at(-1);
  if (newest !== undefined) return newest;
  throw new Fault(
    'unsupported_version',
    `hostd speaks version ${theirs.join(', ') || 'none'} of the node contract and this API ${protocols.join(', ')}.`,
  );
}
