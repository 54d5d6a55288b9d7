import type { SearchResult } from 'minisearch';

const shownMax = 8;

/** A field above the contents. What it searches, and with what, is fetched when somebody comes to it. */
export function addSearch(place: HTMLElement): void {
  const input = document.createElement('input');
  Object.assign(input, { type: 'search', placeholder: 'Search', autocomplete: 'off' });
  input.setAttribute('aria-label', 'Search the documentation');
  const said = document.createElement('p');
  said.className = 'visually-hidden';
  said.setAttribute('role', 'status');
  const list = document.createElement('ul');
  place.append(input, said, list);
  let index: ReturnType<typeof loadIndex> | undefined;
  const load = () => (index ??= loadIndex());
  input.addEventListener('focus', () => void load());
  input.addEventListener('input', () => {
    const words = input.value.trim();
    void load().then((search) => {
      if (words !== input.value.trim()) return;
      const found = words.length < 2 ? [] : search(words).slice(0, shownMax);
      list.replaceChildren(...found.map(itemOf));
      said.textContent = words.length < 2 ? '' : `${found.length} found`;
    });
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') list.querySelector('a')?.click();
    if (event.key === 'Escape') list.replaceChildren();
  });
  addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    input.focus();
  });
}

async function loadIndex(): Promise<(words: string) => SearchResult[]> {
  const [{ default: MiniSearch }, answer] = await Promise.all([import('minisearch'), fetch('/docs/search.json')]);
  const index = new MiniSearch({
    fields: ['heading', 'page', 'text'],
    storeFields: ['heading', 'page'],
    searchOptions: { prefix: true, fuzzy: 0.15, combineWith: 'AND', boost: { heading: 4, page: 2 } },
  });
  index.addAll(await answer.json());
  return (words) => index.search(words);
}

function itemOf({ id, page, heading }: SearchResult): HTMLLIElement {
  const link = document.createElement('a');
  link.href = id;
  link.textContent = heading;
  const where = document.createElement('span');
  where.textContent = page;
  if (page !== heading) link.append(where);
  const item = document.createElement('li');
  item.append(link);
  return item;
}
