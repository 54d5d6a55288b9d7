/** Where the viewer that tries requests shows one operation: the address that Scalar gives it. */
export function tryAddress({ tag, method, path }: { tag: string; method: string; path: string }): string {
  return `/reference/try#tag/${tag}/${method}${path}`;
}
