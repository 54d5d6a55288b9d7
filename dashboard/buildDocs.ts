import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { book, type Page, pages } from './site/book.ts';
import { figureOf } from './site/figures.ts';
import type { Contract } from './site/contractTypes.ts';
import { type RenderedDocument, renderDocument } from './site/renderDocument.ts';
import { renderReference } from './site/renderReference.ts';
import { escape } from './site/schemaText.ts';
import { tryAddress } from './site/tryAddress.ts';

/**
 * The documentation as pages, Markdown of this folder and of the project in the frame that the web build made; the REST
 * reference, made of the contract, in the same frame; and the figures of the landing page, from where they are measured.
 */

const project = join(import.meta.dirname, '..');
const dist = join(import.meta.dirname, 'dist');
const frame = readFileSync(join(dist, 'docs.html'), 'utf8');
rmSync(join(dist, 'docs.html'));

const searched: { id: string; page: string; heading: string; text: string }[] = [];
for (const [at, page] of pages.entries()) {
  const document = renderDocument(readFileSync(join(project, page.file), 'utf8'), page.file);
  for (const { heading, anchor, text } of document.parts)
    searched.push({ id: addressOf(page, anchor), page: page.title, heading, text });
  const html = filled({
    title: page.title,
    about: document.parts[0]!.text.split('. ')[0]!.trim().slice(0, 160),
    contents: contents(page, document),
    body: document.html,
    steps: step(pages[at - 1], 'prev', 'Previous') + step(pages[at + 1], 'next', 'Next'),
  });
  mkdirSync(join(dist, 'docs', page.slug), { recursive: true });
  writeFileSync(join(dist, 'docs', page.slug, 'index.html'), html);
  if (at === 0) writeFileSync(join(dist, 'docs', 'index.html'), html);
}
const reference = renderReference(
  JSON.parse(readFileSync(join(project, 'openapi/public.json'), 'utf8')) as Contract,
  tryAddress,
);
for (const { heading, anchor, text } of reference.parts)
  searched.push({ id: `/reference#${anchor}`, page: 'REST reference', heading, text });
writeFileSync(
  join(dist, 'reference', 'index.html'),
  filled({
    title: 'REST reference',
    about: 'Every operation of the REST API with its parameters, answers and errors.',
    contents: reference.contents,
    body: reference.html,
    steps: '',
  })
    .replace(' aria-current="page">Documentation', '>Documentation')
    .replace('<a href="/reference"', '<a href="/reference" aria-current="page"'),
);
writeFileSync(join(dist, 'docs', 'search.json'), JSON.stringify(searched));

const landing = join(dist, 'index.html');
const benchmarks = readFileSync(join(project, 'docs/benchmarks.md'), 'utf8');
writeFileSync(
  landing,
  readFileSync(landing, 'utf8').replaceAll(/%FIGURE (.+)%/g, (_, what: string) => figureOf(benchmarks, what)),
);

/** The frame of the documentation with this in it. */
function filled(page: { title: string; about: string; contents: string; body: string; steps: string }): string {
  return frame
    .replace('%TITLE%', () => page.title)
    .replace('%ABOUT%', () => escape(page.about))
    .replace('%CONTENTS%', () => page.contents)
    .replace('%BODY%', () => page.body)
    .replace('%STEPS%', () => page.steps);
}

function contents(current: Page, { headings }: RenderedDocument): string {
  const within = headings.map(({ text, anchor }) => `<li><a href="#${anchor}">${escape(text)}</a></li>`).join('');
  return book
    .map(({ name, pages: of }) => {
      const items = of.map((page) => {
        const mark = page === current ? ' aria-current="page"' : '';
        const inner = page === current && within !== '' ? `<ul>${within}</ul>` : '';
        return `<li><a href="/docs/${page.slug}"${mark}>${page.title}</a>${inner}</li>`;
      });
      return `<h2>${name}</h2><ul>${items.join('')}</ul>`;
    })
    .join('');
}

function step(page: Page | undefined, rel: 'prev' | 'next', word: string): string {
  if (page === undefined) return '';
  return `<a rel="${rel}" href="/docs/${page.slug}"><span>${word}</span>${page.title}</a>`;
}

function addressOf(page: Page, anchor: string): string {
  return `/docs/${page.slug}${anchor === '' ? '' : `#${anchor}`}`;
}
