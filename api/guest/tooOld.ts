/**
 * Whether a problem says that hostd has no such path: what hostd 0.1.0 answers to operations that came after it. What a
 * guest lacks is `not_found` with another sentence.
 */
export function saysTooOld(body: Record<string, unknown>): boolean {
  return body['code'] === 'not_found' && body['detail'] === 'This node serves no such path.';
}
