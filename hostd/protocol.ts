import { Fault } from '@lebureau/kit/fault';

/** Versions of the node contract that this hostd speaks; what each side adds in between is optional. */
export const protocols: readonly number[] = [1];

/** @param chosen what the API answered; it did not say before there was more than one. @throws Fault `unsupported_version` */
export function checkProtocol(chosen = 1): void {
  if (protocols.includes(chosen)) return;
  throw new Fault(
    'unsupported_version',
    `The API speaks version ${chosen} of the node contract and this hostd ${protocols.join(', ')}.`,
  );
}
