import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mcpClients } from '../web/src/settings/mcpClients.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/mcp.md'), 'utf8');

/** The blocks of code below a heading. */
function blocksOf(heading: string): string[] {
  const [, section = ''] = guide.split(`\n## ${heading}\n`);
  return [...section.split('\n## ')[0]!.matchAll(/^```\w+\n([^]*?)\n```$/gm)].map((match) => match[1]!);
}

test.each(mcpClients)('the guide tells $name the same as the settings do', ({ name, file, code }) => {
  const said = code('https://desk.example.org/mcp');
  const same = file?.endsWith('.json')
    ? (block: string) => block.startsWith('{') && Bun.deepEquals(JSON.parse(block), JSON.parse(said))
    : (block: string) => block === said;
  expect(blocksOf(name).filter(same)).toHaveLength(1);
  if (file !== undefined) expect(guide).toContain(`\`${file}\``);
});
