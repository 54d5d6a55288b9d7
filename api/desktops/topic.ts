/** Woken when the desktop may look different. */
export function desktopTopic(desktopId: string): string {
  return `desktop ${desktopId}`;
}
