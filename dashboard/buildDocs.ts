import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import MarkdownIt from 'markdown-it';

/** The documentation as pages: Markdown of this folder and of the project, in the frame that the web build made. */

const project = join(import.meta.dirname, '..');
const dist = join(import.meta.dirname, 'dist');

interface Section {
  name: string;
  pages: { slug: string; title: string; file: string }[];
}

const page = (slug: string, title: string, file: string) => ({ slug, title, file });
const sections: Section[] = [
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
      page('operations', 'Operations', 'docs/operations.md'),
      page('fleet', 'Many nodes', 'docs/fleet.md'),
      page('proxmox', 'Proxmox VE', 'docs/proxmox.md'),
      page('template', 'Template', 'docs/template.md'),
      page('security', 'Security', 'SECURITY.md'),
      page('benchmarks', 'Benchmarks', 'docs/benchmarks.md'),
    ],
  },
];
const pages = sections.flatMap((section) => section.pages);

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
const { rules } = markdown.renderer;
rules.table_open = () => '<div class="scroll" tabindex="0"><table>\n';
rules.table_close = () => '</table></div>\n';
rules.fence = (tokens, at) =>
  `<pre tabindex="0"><code>${markdown.utils.escapeHtml(tokens[at]!.content)}</code></pre>\n`;
rules.code_block = rules.fence;
markdown.core.ruler.push('links', (state) => {
  for (const [at, token] of state.tokens.entries())
    if (token.type === 'heading_open') token.attrSet('id', slugOf(state.tokens[at + 1]!.content));
  for (const token of state.tokens.flatMap((each) => each.children ?? [])) {
    const href = token.type === 'link_open' ? token.attrGet('href') : null;
    if (href !== null) token.attrSet('href', targetOf(String(href)));
    if (token.type === 'image') token.attrSet('src', '/desktop.png');
  }
});

const frame = readFileSync(join(dist, 'docs.html'), 'utf8');
rmSync(join(dist, 'docs.html'));
mkdirSync(join(dist, 'docs'), { recursive: true });
for (const { slug, title, file } of pages) {
  const body = markdown.render(withoutComments(readFileSync(join(project, file), 'utf8')));
  const html = frame
    .replace('%TITLE%', () => title)
    .replace('%CONTENTS%', () => contents(slug))
    .replace('%BODY%', () => body);
  mkdirSync(join(dist, 'docs', slug), { recursive: true });
  writeFileSync(join(dist, 'docs', slug, 'index.html'), html);
  if (slug === 'quick-start') writeFileSync(join(dist, 'docs', 'index.html'), html);
}

function contents(current: string): string {
  return sections
    .map(({ name, pages: of }) => {
      const items = of.map(
        ({ slug, title }) =>
          `<li><a href="/docs/${slug}"${slug === current ? ' aria-current="page"' : ''}>${title}</a></li>`,
      );
      return `<h2>${name}</h2><ul>${items.join('')}</ul>`;
    })
    .join('');
}

/** A link of the project's tree leads to the page made of that file, and to nowhere when there is none. */
function targetOf(href: string): string {
  if (/^(https?:|#|\/)/.test(href)) return href;
  const [path = '', anchor] = href.split('#');
  const name = path.split('/').at(-1)!;
  const found = pages.find(({ file }) => file.split('/').at(-1) === name);
  return found === undefined ? '/docs' : `/docs/${found.slug}${anchor === undefined ? '' : `#${anchor}`}`;
}

function slugOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-|-$/g, '');
}

function withoutComments(text: string): string {
  return text.replaceAll(/<!--[\s\S]*?-->\n?/g, '');
}
