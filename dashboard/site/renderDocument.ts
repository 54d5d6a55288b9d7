import { posix } from 'node:path';
import GithubSlugger from 'github-slugger';
import MarkdownIt from 'markdown-it';
import { pages } from './book.ts';

/** A part of a document below one heading, as it is searched. */
export interface Part {
  heading: string;
  /** Empty for what stands before the second heading. */
  anchor: string;
  text: string;
}

export interface RenderedDocument {
  html: string;
  parts: Part[];
  /** Headings of the second level, for the contents. */
  headings: { text: string; anchor: string }[];
  /** Where its links lead, on the site. */
  links: string[];
}

type Token = ReturnType<InstanceType<typeof MarkdownIt>['parse']>[number];

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
const { rules } = markdown.renderer;
rules.table_open = () => '<div class="scroll" tabindex="0"><table>\n';
rules.table_close = () => '</table></div>\n';
rules.fence = (tokens, at) =>
  `<pre tabindex="0"><code>${markdown.utils.escapeHtml(tokens[at]!.content)}</code></pre>\n`;

/** One Markdown file of the project as a part of a page; its links lead to pages where their files are pages. */
export function renderDocument(source: string, file: string): RenderedDocument {
  const tokens = markdown.parse(source.replaceAll(/<!--[\s\S]*?-->\n?/g, ''), {});
  const headings = anchorHeadings(tokens);
  emptyCellsHeadNothing(tokens);
  const links = tokens.flatMap((token) => (token.children === null ? [] : resolveLinks(token.children, file)));
  return {
    html: markdown.renderer.render(tokens, markdown.options, {}),
    parts: partsOf(tokens),
    headings: headings.filter(({ level }) => level === 'h2'),
    links,
  };
}

/** The anchors that GitHub gives the same headings, so that one link is right in both places. */
function anchorHeadings(tokens: Token[]): { level: string; text: string; anchor: string }[] {
  const slugger = new GithubSlugger();
  return tokens.flatMap((token, at) => {
    if (token.type !== 'heading_open') return [];
    const text = plain(tokens[at + 1]!);
    const anchor = slugger.slug(text);
    token.attrSet('id', anchor);
    return [{ level: token.tag, text, anchor }];
  });
}

/** The corner of a table is no heading of its column. */
function emptyCellsHeadNothing(tokens: Token[]): void {
  for (const [at, token] of tokens.entries()) {
    if (token.type !== 'th_open' || tokens[at + 1]!.content !== '') continue;
    token.tag = 'td';
    tokens[at + 2]!.tag = 'td';
  }
}

/** A link to a file that is no page becomes its text: the site has nothing to show there. One named by its file gets the page's name. */
function resolveLinks(tokens: Token[], file: string): string[] {
  const links: string[] = [];
  let dropped = false;
  for (const [at, token] of tokens.entries()) {
    if (token.type === 'link_open') {
      const target = targetOf(String(token.attrGet('href')), file);
      dropped = target === undefined;
      if (target !== undefined) links.push(target);
      token.attrSet('href', target ?? '');
      const named = tokens[at + 1]!;
      if (target !== undefined && named.content.endsWith('.md')) named.content = titleOf(target) ?? named.content;
    }
    if (dropped && token.type.startsWith('link_')) {
      dropped = token.type === 'link_open';
      token.type = 'text';
      token.content = '';
    }
  }
  return links;
}

function targetOf(href: string, file: string): string | undefined {
  if (/^https?:/.test(href)) return href;
  const [path = '', anchor] = href.split('#');
  const named = path === '' ? file : posix.normalize(posix.join(posix.dirname(file), path));
  if (named === 'openapi/public.json') return '/reference/openapi.json';
  const found = pages.find((page) => page.file === named);
  if (found === undefined) return undefined;
  return `/docs/${found.slug}${anchor === undefined ? '' : `#${anchor}`}`;
}

function titleOf(target: string): string | undefined {
  return pages.find(({ slug }) => target.split('#')[0] === `/docs/${slug}`)?.title;
}

function partsOf(tokens: Token[]): Part[] {
  const parts: Part[] = [{ heading: '', anchor: '', text: '' }];
  for (const [at, token] of tokens.entries()) {
    const isHeading = tokens[at - 1]?.type === 'heading_open';
    if (isHeading && tokens[at - 1]!.tag !== 'h1')
      parts.push({ heading: plain(token), anchor: String(tokens[at - 1]!.attrGet('id')), text: '' });
    else if (isHeading) parts[0]!.heading = plain(token);
    else if (token.type === 'inline') parts.at(-1)!.text += `${plain(token)} `;
    else if (token.type === 'fence') parts.at(-1)!.text += `${token.content} `;
  }
  return parts;
}

function plain(inline: Token): string {
  return (inline.children ?? []).map((each) => each.content).join('');
}
