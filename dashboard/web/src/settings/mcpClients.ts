/** How each MCP client is told of a server over Streamable HTTP. */
export interface McpClient {
  name: string;
  /** The file it goes into; undefined: a command. */
  file?: string;
  code: (url: string) => string;
}

const key = 'YOUR_API_KEY';
const json = (value: unknown) => JSON.stringify(value, null, 2);

export const mcpClients: readonly McpClient[] = [
  {
    name: 'Claude Code',
    code: (url) => `claude mcp add --transport http lebureau ${url} --header "Authorization: Bearer ${key}"`,
  },
  {
    name: 'Claude Desktop',
    file: 'claude_desktop_config.json',
    code: (url) =>
      json({
        mcpServers: {
          lebureau: { command: 'npx', args: ['-y', 'mcp-remote', url, '--header', `Authorization: Bearer ${key}`] },
        },
      }),
  },
  {
    name: 'Cursor',
    file: '~/.cursor/mcp.json',
    code: (url) => json({ mcpServers: { lebureau: { url, headers: { Authorization: `Bearer ${key}` } } } }),
  },
  {
    name: 'VS Code',
    file: '.vscode/mcp.json',
    code: (url) =>
      json({
        servers: { lebureau: { type: 'http', url, headers: { Authorization: 'Bearer ${input:lebureau-key}' } } },
        inputs: [{ id: 'lebureau-key', type: 'promptString', description: 'Le Bureau API key', password: true }],
      }),
  },
  {
    name: 'Codex',
    file: '~/.codex/config.toml',
    code: (url) => `[mcp_servers.lebureau]\nurl = "${url}"\nbearer_token_env_var = "LEBUREAU_API_KEY"`,
  },
  {
    name: 'Gemini CLI',
    file: '~/.gemini/settings.json',
    code: (url) => json({ mcpServers: { lebureau: { httpUrl: url, headers: { Authorization: `Bearer ${key}` } } } }),
  },
  {
    name: 'Windsurf',
    file: '~/.codeium/windsurf/mcp_config.json',
    code: (url) => json({ mcpServers: { lebureau: { serverUrl: url, headers: { Authorization: `Bearer ${key}` } } } }),
  },
];
