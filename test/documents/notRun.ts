import type { CodeBlock } from './codeBlocks.ts';

/** Blocks that are not run by `blocks.vm.test.ts`, each with the reason. Shell among them is still read by `bash -n`. */
export const notRun: readonly { document: string; begins: string; because: string }[] = [
  ...['README.md', 'docs/operations.md'].map((document) => ({
    document,
    begins: 'npm start',
    because: 'a first start takes minutes; test/system/start.vm.test.ts runs it from a clean clone',
  })),
  {
    document: 'dashboard/docs/quick-start.md',
    begins: 'git clone',
    because: 'a first start takes minutes; test/system/start.vm.test.ts runs it from a clean clone',
  },
  {
    document: 'dashboard/docs/self-hosting.md',
    begins: 'git pull',
    because: 'it would change the tree that is tested; test/system/start.vm.test.ts starts twice on one home',
  },
  {
    document: 'docs/operations.md',
    begins: 'npm run bun api/main.ts',
    because: 'these four run already while the others are tried, as test/system/product.ts starts them',
  },
  { document: 'CONTRIBUTING.md', begins: 'git clone', because: 'it runs this very test' },
  {
    document: 'docs/fleet.md',
    begins: 'LEBUREAU_NODE_NAME=node-2',
    because: 'it takes a second machine; test/fleet/reach.vm.test.ts joins one',
  },
  {
    document: 'docs/proxmox.md',
    begins: 'apt-get install',
    because:
      'it takes a Proxmox VE node; test/pve/importTemplate.vm.test.ts and doctor.vm.test.ts run the doctor on the double',
  },
  {
    document: 'docs/proxmox.md',
    begins: 'export LEBUREAU_TEST_PVE_URL',
    because: 'it takes a Proxmox VE node',
  },
  { document: 'docs/template.md', begins: 'bun hostd/template/main.ts', because: 'a form, not a command' },
  {
    document: 'docs/mcp.md',
    begins: 'claude mcp add --transport',
    because: 'Claude Code is not here; its address is tried with the official client',
  },
  {
    document: 'docs/mcp.md',
    begins: 'claude mcp add lebureau',
    because: 'Claude Code is not here; its address and header are tried with the official client',
  },
  {
    document: 'docs/mcp.md',
    begins: '{\n  "mcpServers": {\n    "lebureau": {\n      "command": "npx"',
    because: 'mcp-remote is not ours; its address and header are tried with the official client',
  },
];

export function reasonNotToRun(block: CodeBlock): string | undefined {
  return notRun.find(({ document, begins }) => document === block.document && block.code.startsWith(begins))?.because;
}
