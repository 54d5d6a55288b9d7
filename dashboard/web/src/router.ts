import { atom } from 'nanostores';

/** Where we are: path and query of the app. */
export const place = atom(location.pathname + location.search);

window.addEventListener('popstate', () => place.set(location.pathname + location.search));

export function goTo(path: string, how: { replace?: boolean } = {}): void {
  if (how.replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  place.set(path);
  if (!how.replace) window.scrollTo(0, 0);
}

/** Links of ours change the page without loading it; everything else is left to the browser. */
document.addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element).closest?.('a');
  if (!link || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (!/^\/(app|sign-in)(\/|$)/.test(link.pathname)) return;
  event.preventDefault();
  goTo(link.pathname + link.search);
});

/** Values of `:name` in `pattern`, or undefined when the path is another. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const names: string[] = [];
  const source = pattern.replaceAll(/:(\w+)/g, (_, name: string) => {
    names.push(name);
    return '([^/]+)';
  });
  const found = new RegExp(`^${source}/?$`).exec(path.split('?')[0]!);
  return found === null ? undefined : Object.fromEntries(names.map((name, at) => [name, found[at + 1]!]));
}
