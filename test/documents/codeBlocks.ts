import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every block of code that a document shows. */

const root = join(import.meta.dirname, '..', '..');

export interface CodeBlock {
  document: string;
  line: number;
  language: string;
  code: string;
}

/** What a reader may paste; source of the template and snapshots are not documents. */
export const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((path) => /^(?:[A-Z]+\.md|docs\/.*|dashboard\/docs\/.*)$/.test(path));

export const codeBlocks: readonly CodeBlock[] = documents.flatMap((document) => blocksOf(document));

/** @throws Error where code stands without a fence: it would have no language, and nobody would run it. */
function blocksOf(document: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: CodeBlock | undefined;
  const lines = readFileSync(join(root, document), 'utf8').split('\n');
  for (const [at, line] of lines.entries()) {
    const fence = /^\s*```(\S*)\s*$/.exec(line);
    if (fence && open === undefined) open = { document, line: at + 1, language: fence[1]!, code: '' };
    else if (fence) {
      blocks.push(open!);
      open = undefined;
    } else if (open !== undefined) open.code += `${line}\n`;
    else if (/^( {4}|\t)/.test(line) && lines[at - 1] === '')
      throw new Error(`${document}:${at + 1}: code without a fence`);
  }
  if (open !== undefined) throw new Error(`${document}:${open.line}: a fence that does not end`);
  return blocks;
}
