import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { pages } from './book.ts';
import { renderDocument } from './renderDocument.ts';

/** Documents are read in two places, the repository and the site, and their links lead somewhere in both. */

const root = join(import.meta.dirname, '..', '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
}).split('\n');
const documents = tracked.filter((path) => path.endsWith('.md'));
const rendered = new Map(documents.map((path) => [path, renderDocument(readFileSync(join(root, path), 'utf8'), path)]));
const anchorsOf = (path: string) =>
  [...(rendered.get(path)?.html ?? '').matchAll(/<h\d id="([^"]+)"/g)].map(([, id]) => id!);

test('in the repository', () => {
  const broken: string[] = [];
  for (const path of documents) {
    const source = readFileSync(join(root, path), 'utf8').replaceAll(/```[^]*?```/g, '');
    for (const [, href = ''] of source.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(href)) continue;
      const [file = '', anchor] = href.split('#');
      const target = file === '' ? path : posix.normalize(posix.join(posix.dirname(path), file));
      if (!tracked.includes(target)) broken.push(`${path}: ${href}`);
      else if (anchor !== undefined && !anchorsOf(target).includes(anchor)) broken.push(`${path}: ${href}`);
    }
  }
  expect(broken).toEqual([]);
});

test('on the site', () => {
  const addresses = new Set(['/docs', '/docs/search.json', '/reference', '/reference/try', '/reference/openapi.json']);
  for (const { slug, file } of pages) {
    addresses.add(`/docs/${slug}`);
    for (const anchor of anchorsOf(file)) addresses.add(`/docs/${slug}#${anchor}`);
  }
  const links = pages.flatMap(({ file }) => rendered.get(file)!.links.map((link) => `${file}: ${link}`));
  const ofPages = tracked
    .filter((path) => /^dashboard\/(web|server)\/.*\.(html|tsx?|json)$/.test(path))
    .flatMap((path) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(/["'`](\/(?:docs|reference)\b[\w/#.-]*)["'`]/g)].map(
        ([, link]) => `${path}: ${link}`,
      ),
    );
  expect(ofPages.length).toBeGreaterThan(10);
  links.push(...ofPages);
  expect(links.length).toBeGreaterThan(50);
  expect(links.filter((each) => !/: https?:/.test(each) && !addresses.has(each.split(': ')[1]!))).toEqual([]);
});

test('every document of docs and dashboard/docs is a page, and no page stands twice', () => {
  const inFolders = documents.filter((path) => /^(docs|dashboard\/docs)\//.test(path));
  expect(inFolders.filter((path) => !pages.some(({ file }) => file === path))).toEqual([]);
  expect(new Set(pages.map(({ slug }) => slug)).size).toBe(pages.length);
});

test('headings and links become what GitHub makes of them, and what is no page becomes plain text', () => {
  const source =
    '# A `b` & c\n\n## Twice\n\n## Twice\n\n[op](operations.md#files) [in](#twice-1) [gone](../hostd/x.md) [out](https://a.b) [fleet.md](fleet.md)';
  const { html, links } = renderDocument(source, 'docs/sdk.md');
  expect(html).toContain('<h1 id="a-b--c">');
  expect(html).toContain('<h2 id="twice-1">');
  expect(links).toEqual(['/docs/operations#files', '/docs/sdk#twice-1', 'https://a.b', '/docs/fleet']);
  expect(html).toContain('>Many nodes</a>');
  expect(html).toContain(' gone ');
  expect(html).not.toContain('x.md');
});
