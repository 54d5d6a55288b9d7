/** What one end of a live stream tells. Each is called at once, in order, and must not throw. */
export interface EndListener {
  bytes(piece: Uint8Array): void;
  text(text: string): void;
  /** It takes more again, after a `send` or `sendText` that was answered with false. */
  drained(): void;
  /** It is over; nothing follows. */
  closed(code: number, reason: string): void;
}

/**
 * One end of a live stream: bytes both ways, small text messages beside them, and a pause for whoever is too quick. An
 * end tells nothing before it was given a listener, which happens once.
 */
export interface StreamEnd {
  listen(listener: EndListener): void;
  /** @returns false when it took them and wants no more until `drained` */
  send(piece: Uint8Array): boolean;
  /** @returns as `send` */
  sendText(text: string): boolean;
  pause(): void;
  resume(): void;
  /** Closing again does nothing. */
  close(code: number, reason: string): void;
}

/** Close codes of our own (RFC 6455 §7.4.2 leaves 4000 and above to the two ends). */
export const closeCodes = {
  normal: 1000,
  restarting: 1012,
  crowded: 1013,
  malformed: 4400,
  revoked: 4403,
  gone: 4404,
  stalled: 4408,
  replaced: 4409,
  failed: 4500,
  unreachable: 4503,
} as const;

/** What may be sent as a code: those that only say how a connection broke may not. */
export function sendableCode(code: number): number {
  const isOwn = code >= 3000 && code <= 4999;
  return code === closeCodes.normal || isOwn || (code >= 1007 && code <= 1014) ? code : closeCodes.normal;
}
