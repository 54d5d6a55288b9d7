import type { CodeBlock } from './codeBlocks.ts';

/** How a client that read a block of docs/mcp.md would reach the server. */
export type Way =
  | { url: string; authorization: string }
  | { command: string; args: string[]; env: Record<string, string> };

interface Server {
  url?: string;
  httpUrl?: string;
  serverUrl?: string;
  headers?: { Authorization: string };
  command?: string;
  args?: string[];
  env?: Record<string, string>;
  bearer_token_env_var?: string;
}
interface Config {
  mcpServers?: Record<string, Server>;
  servers?: Record<string, Server>;
  mcp_servers?: Record<string, Server>;
}

/** @param apiKey what stands for it: the reader's, or one of the placeholders that clients fill in. */
export function wayOf({ language, code }: CodeBlock, apiKey: string): Way {
  const filled = code.replaceAll(/YOUR_API_KEY|\$\{(?:LEBUREAU_API_KEY|input:lebureau-key)\}/g, apiKey);
  const header = /Authorization: (Bearer [^"]+)"/.exec(filled)?.[1];
  const address = /https?:\/\/[^"\s]+\/mcp/.exec(filled)?.[0];
  // A command line, or a program of somebody else that is given one.
  if (header !== undefined && address !== undefined) return { url: address, authorization: header };
  // Without a key a client gets a token by itself, which oauth.vm.test.ts does; here its address is tried.
  if (address !== undefined && !/bearer|_KEY/i.test(code)) return { url: address, authorization: `Bearer ${apiKey}` };
  const config = (language === 'toml' ? Bun.TOML.parse(filled) : JSON.parse(filled)) as Config;
  const [server] = Object.values(config.mcpServers ?? config.servers ?? config.mcp_servers ?? {});
  if (server?.command !== undefined) return { command: server.command, args: server.args ?? [], env: server.env ?? {} };
  const url = server?.url ?? server?.httpUrl ?? server?.serverUrl;
  const authorization =
    server?.bearer_token_env_var === 'LEBUREAU_API_KEY' ? `Bearer ${apiKey}` : server?.headers?.Authorization;
  if (url === undefined || authorization === undefined) throw new Error(`This reaches nothing:\n${code}`);
  return { url, authorization };
}
