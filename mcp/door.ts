import { hostHeaderValidationResponse, originValidationResponse } from '@modelcontextprotocol/server';

export interface DoorOptions {
  /** Names that the Host header may have; undefined: any, for a server that is reached by other than loopback. */
  hosts: readonly string[] | undefined;
  /** Host names of web pages that may call. */
  origins: readonly string[];
}

/** Refuses what a browser was tricked into sending: the library does not look at Origin and Host by itself. */
export function refuseAtDoor(request: Request, { hosts, origins }: DoorOptions): Response | undefined {
  const host = hosts && hostHeaderValidationResponse(request, [...hosts]);
  return host ?? originValidationResponse(request, [...origins]);
}
