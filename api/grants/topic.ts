/** Woken when a grant ends. */
export function grantTopic(grantId: string): string {
  return `grant ${grantId}`;
}
