const inside = 'https://inside.invalid';

/** Where to go after sign-in: a path of the app, and never another site. */
export function safeReturnTo(given: string | null): string {
  const fallback = '/app';
  if (given === null || given.length > 1000 || !/^\/app(?:$|[/?])/.test(given) || /[\\\s]|\/\//.test(given))
    return fallback;
  const url = URL.parse(given, inside);
  if (url?.origin !== inside || !/^\/app(?:$|\/)/.test(url.pathname)) return fallback;
  return url.pathname + url.search;
}
