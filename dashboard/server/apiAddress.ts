/** Host and port of the API, for sockets. */
export function apiAddress(apiUrl: string): { host: string; port: number } {
  const { hostname, port } = new URL(apiUrl);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) };
}
