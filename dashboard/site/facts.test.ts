import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** What documents say by hand and the contract decides. */

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const { schemas } = (JSON.parse(read('openapi/public.json')) as { components: { schemas: Record<string, Enum> } })
  .components;
interface Enum {
  enum: string[];
}

/** Names in the first column of a table, between backticks. */
function firstColumn(document: string, heading: string): string[] {
  const section = read(document).split(`| ${heading} |`)[1]!.split('\n\n')[0]!;
  const cells = section.split('\n').map((line) => line.split('|')[1] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

test.each([
  ['dashboard/docs/authentication.md', 'capability', 'Capability'],
  ['dashboard/docs/lifecycle.md', 'status', 'DesktopStatus'],
  ['dashboard/docs/lifecycle.md', 'size', 'SizeName'],
])('%s names every %s', (document, heading, schema) => {
  expect(firstColumn(document, heading).toSorted()).toEqual(schemas[schema]!.enum.toSorted());
});

test('code on the landing page is code of the documents, which is tried', () => {
  const flat = (code: string) =>
    code
      .replaceAll(/\\\n| \/\/ .*$/gm, '')
      .replaceAll(/\s+/g, ' ')
      .trim();
  const documents = flat(['dashboard/docs/quick-start.md', 'docs/mcp.md'].map(read).join('\n'));
  const blocks = [...read('dashboard/web/index.html').matchAll(/<code>([^]*?)<\/code>/g)].map(([, code]) =>
    flat(code!.replaceAll('&amp;', '&')),
  );
  expect(blocks).toHaveLength(3);
  expect(blocks.filter((block) => !documents.includes(block))).toEqual([]);
});
