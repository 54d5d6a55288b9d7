/** Which documents are pages of the site, in the order in which they are read. */

export interface Page {
  /** `/docs/{slug}` */
  slug: string;
  title: string;
  /** Path in the project. */
  file: string;
}

interface Section {
  name: string;
  pages: readonly Page[];
}

const page = (slug: string, title: string, file: string): Page => ({ slug, title, file });

export const book: readonly Section[] = [
  {
    name: 'Begin',
    pages: [
      page('quick-start', 'Quick start', 'dashboard/docs/quick-start.md'),
      page('concepts', 'Concepts', 'dashboard/docs/concepts.md'),
      page('lifecycle', 'Life of a desktop', 'dashboard/docs/lifecycle.md'),
      page('authentication', 'Authentication', 'dashboard/docs/authentication.md'),
      page('dashboard', 'Dashboard', 'dashboard/docs/dashboard.md'),
    ],
  },
  {
    name: 'Use',
    pages: [
      page('mcp', 'MCP', 'docs/mcp.md'),
      page('mcp-tools', 'MCP tools', 'docs/mcp-tools.md'),
      page('sdk', 'TypeScript SDK', 'docs/sdk.md'),
      page('rest', 'REST', 'dashboard/docs/rest.md'),
      page('streams', 'Live streams', 'docs/streams.md'),
      page('errors', 'Errors', 'docs/errors.md'),
    ],
  },
  {
    name: 'Run',
    pages: [
      page('self-hosting', 'Self-hosting', 'dashboard/docs/self-hosting.md'),
      page('operations', 'Operations', 'docs/operations.md'),
      page('fleet', 'Many nodes', 'docs/fleet.md'),
      page('proxmox', 'Proxmox VE', 'docs/proxmox.md'),
      page('template', 'Template', 'docs/template.md'),
    ],
  },
  {
    name: 'Know',
    pages: [
      page('architecture', 'Architecture', 'ARCHITECTURE.md'),
      page('security', 'Security', 'SECURITY.md'),
      page('benchmarks', 'Benchmarks', 'docs/benchmarks.md'),
    ],
  },
];

export const pages: readonly Page[] = book.flatMap((section) => section.pages);
