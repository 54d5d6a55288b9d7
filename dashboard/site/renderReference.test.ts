import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Contract } from './contractTypes.ts';
import { renderReference } from './renderReference.ts';

const contract = JSON.parse(readFileSync(join(import.meta.dirname, '../../openapi/public.json'), 'utf8')) as Contract;
const { html, contents, parts } = renderReference(contract, ({ path }) => `/try#${path}`);
const all = (pattern: RegExp, text: string) => [...text.matchAll(pattern)].map(([, found]) => found!);
const operations = Object.entries(contract.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId }]) => ({
    route: `${method.toUpperCase()} ${path}`,
    operationId,
  })),
);

test('every operation and every shape is told once, and nothing else', () => {
  const shapes = Object.keys(contract.components.schemas).map((name) => `shape-${name}`);
  const wanted = [...operations.map(({ operationId }) => operationId), ...shapes];
  expect(all(/<h3 id="([^"]+)"/g, html).toSorted()).toEqual(wanted.toSorted());
  const routes = all(/<span class="method [a-z]+">([^]*?)<\/code>/g, html);
  expect(routes.map((each) => each.replace('</span> <code>', ' ')).toSorted()).toEqual(
    operations.map(({ route }) => route).toSorted(),
  );
  expect(parts.map(({ anchor }) => anchor).toSorted()).toEqual(
    operations.map(({ operationId }) => operationId).toSorted(),
  );
});

test('every link within the page leads somewhere', () => {
  const anchors = new Set(all(/ id="([^"]+)"/g, html));
  const links = all(/href="#([^"]+)"/g, html + contents);
  expect(links.length).toBeGreaterThan(200);
  expect(links.filter((link) => !anchors.has(link))).toEqual([]);
});

test('what stands in the contract is text here, whatever it says', () => {
  const evil = '<script>"&';
  const hostile = structuredClone(contract) as { -readonly [K in keyof Contract]: Contract[K] };
  hostile.tags = [{ name: 'x', description: evil }];
  hostile.paths = {
    '/<b>': {
      get: {
        operationId: 'x',
        tags: ['x'],
        summary: evil,
        description: evil,
        parameters: [
          { name: evil, in: evil, description: evil, schema: { enum: [evil], default: evil, pattern: evil } },
        ],
        requestBody: { content: { [evil]: { schema: { const: evil }, example: evil } } },
        responses: { 200: { description: evil, content: { [evil]: {} } }, 400: { description: `\`a\` ${evil}` } },
      },
    },
  };
  hostile.components = { schemas: { X: { description: evil, properties: { '<b>': { type: 'string' } } } } };
  const page = renderReference(hostile, () => evil);
  expect(page.html + page.contents).not.toMatch(/<script|<b>/);
});

test('a body is told with what it must have, its limits and its example', () => {
  const section = html.split('<h3 id="shape-CreateKey">')[1]!.split('<h3')[0]!;
  expect(section).toContain(
    '<code>name</code> <small>required</small><td>string<td><small>1 to 100 characters</small>',
  );
  expect(section).toContain('<code>capabilities</code><td>array of <a href="#shape-Capability">');
  const create = html.split('<h3 id="createDesktop">')[1]!.split('</article>')[0]!;
  expect(create).toContain('<code>Idempotency-Key</code>');
  expect(create).toContain('<a href="#shape-CreateDesktop">CreateDesktop</a>');
  expect(create).toContain('&quot;research&quot;');
  expect(create).toContain('<code>no_capacity</code> 503');
});
