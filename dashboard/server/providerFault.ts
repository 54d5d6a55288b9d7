import { Fault } from '@lebureau/kit/fault';

/** A provider did not do its part. What it said goes to the log only. */
export function providerFault(name: string, cause: unknown): Fault {
  return new Fault('sign_in_refused', `${name} did not confirm who you are.`, { hint: 'Try once more.', cause });
}
