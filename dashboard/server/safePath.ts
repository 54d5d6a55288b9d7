/**
 * `URL` has resolved dots and turned backslashes by the time we see a path, and what we route is what we send on.
 * Whether a path means the same to us and to whoever reads it next: no empty, dot or encoded segment tricks, no
 * backslash, no control character. What is not safe is refused, never mended.
 */
export function isSafePath(pathname: string): boolean {
  if (!pathname.startsWith('/') || pathname.length > 2048) return false;
  if (/[^\x21-\x7e]|[\\?#]/.test(pathname) || /%(?![0-9a-fA-F]{2})/.test(pathname)) return false;
  // Encoded slash, backslash, dot, percent or control character.
  if (/%(2f|5c|2e|25|[01][0-9a-f]|7f)/i.test(pathname)) return false;
  return pathname
    .slice(1)
    .split('/')
    .every((segment, at, all) => segment !== '.' && segment !== '..' && (segment !== '' || at === all.length - 1));
}
