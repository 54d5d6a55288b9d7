/**
 * How two sides of a waiting connection talk before it is used, one byte at a time. The side that wants to use it asks
 * `ping` now and then and gets it back; `go` is answered by `ready` once the way behind is open. From then on every byte
 * belongs to whoever uses it.
 */
export const tunnelWord = 'lebureau-tunnel/1';
export const relayWord = 'lebureau-relay/1';
export const ping = 0x50;
export const go = 0x47;
export const ready = 0x52;
/** A waiting connection that was silent for longer than this is dead. */
export const waitingSilentMs = 45_000;
export const pingEveryMs = 15_000;
