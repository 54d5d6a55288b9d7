/** Woken when a session ends. */
export function sessionTopic(sessionId: string): string {
  return `session ${sessionId}`;
}
