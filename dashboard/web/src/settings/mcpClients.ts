/** How each MCP client is told of a server over Streamable HTTP. */
export interface McpClient {
  name: string;
  /** The file it goes into; undefined: a command. */
  file?: string;
  code: (url: string) => string;
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

/** These find out by themselves how to ask for access. */
export const mcpClients: readonly McpClient[] = [
  { name: 'Claude Code', code: (url) => `claude mcp add --transport http lebureau ${url}` },
  {
    name: 'Claude Desktop',
    file: 'claude_desktop_config.json',
    code: (url) => json({ mcpServers: { lebureau: { command: 'npx', args: ['-y', 'mcp-remote', url] } } }),
  },
  { name: 'Cursor', file: '~/.cursor/mcp.json', code: (url) => json({ mcpServers: { lebureau: { url } } }) },
  { name: 'VS Code', file: '.vscode/mcp.json', code: (url) => json({ servers: { lebureau: { type: 'http', url } } }) },
  { name: 'Codex', file: '~/.codex/config.toml', code: (url) => `[mcp_servers.lebureau]\nurl = "${url}"` },
  {
    name: 'Gemini CLI',
    file: '~/.gemini/settings.json',
    code: (url) => json({ mcpServers: { lebureau: { httpUrl: url } } }),
  },
  {
    name: 'Windsurf',
    file: '~/.codeium/windsurf/mcp_config.json',
    code: (url) => json({ mcpServers: { lebureau: { serverUrl: url } } }),
  },
];

/** For all that cannot open a browser. */
export function withKey(url: string): string {
  return json({ mcpServers: { lebureau: { url, headers: { Authorization: 'Bearer YOUR_API_KEY' } } } });
}
