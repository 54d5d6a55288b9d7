import type { CodeBlock } from './codeBlocks.ts';

/** What a block of TypeScript leaves to its reader, as a program would have it before: one line for each name. */
const givens: Record<string, string> = {
  desktop: `const desktop = new GivenClient().desktop(process.env['DESKTOP_ID']!);`,
  picture: `const picture = await desktop.computer.screenshot();`,
  toolUseBlocks: `const toolUseBlocks = [{ name: 'computer', input: { action: 'mouse_move', coordinate: [5, 5] as [number, number] } }];`,
  toolUseIds: `const toolUseIds = ['toolu_1'];`,
};

/** A block as a module: names that it uses and does not make come before it. */
export function tsProgram({ code }: CodeBlock): string {
  const needs = (name: string, inText: string) =>
    new RegExp(`\\b${name}\\b`).test(inText) &&
    !new RegExp(`\\b(const|using|let) (${name}\\b|\\{[^}]*\\b${name}\\b)`).test(inText);
  let before = '';
  for (const [name, line] of Object.entries(givens).toReversed())
    if (needs(name, before + code)) before = `${line}\n${before}`;
  const client = before.includes('GivenClient') ? `import { LeBureau as GivenClient } from '@lebureau/sdk';\n` : '';
  // An open stream would keep it running.
  return `${client}${before}${code}\nsetTimeout(() => process.exit(0), 0);\nexport {};\n`;
}
