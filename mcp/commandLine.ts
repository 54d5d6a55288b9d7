import { parseArgs } from 'node:util';
import type { configFromEnvironment } from './config.ts';
import { type Settings, everything, narrow } from './settings.ts';

export const usage = `lb-mcp: the MCP server of Le Bureau

  lb-mcp                          over stdio, for one user; needs LEBUREAU_API_KEY
  lb-mcp --http [host:port]       serves /mcp (default 127.0.0.1:7071); callers send their API key as Bearer

  --toolsets a,b                  only these: desktops, computer, exec, files (default all)
  --read-only                     only tools that change nothing
  --desktop ID                    every tool works on this desktop
  --local-root DIR                opens a folder of this machine to upload and download; may be repeated (stdio only)
  --allow-host NAME               another name that the Host header may have; may be repeated (--http only)
  --allow-origin NAME             a web page's host that may call; may be repeated (--http only)
  --help, --version

LEBUREAU_BASE_URL is the address of the API (default http://127.0.0.1:7070).`;

export interface CommandLine {
  help: boolean;
  version: boolean;
  http: { host: string; port: number } | undefined;
  settings: Settings;
  hosts: readonly string[];
  origins: readonly string[];
}

/** @throws Error with a sentence for the user. */
export function readCommandLine(args: string[], config: ReturnType<typeof configFromEnvironment>): CommandLine {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      http: { type: 'boolean', default: false },
      toolsets: { type: 'string' },
      'read-only': { type: 'boolean' },
      desktop: { type: 'string' },
      'local-root': { type: 'string', multiple: true, default: [] },
      'allow-host': { type: 'string', multiple: true, default: [] },
      'allow-origin': { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  });
  const [address, ...more] = positionals;
  if (more.length > 0 || (address !== undefined && !values.http))
    throw new Error(`"${positionals.join(' ')}" is not understood`);
  const localRoots = [...values['local-root'], ...config.LEBUREAU_MCP_LOCAL_ROOTS.split(':').filter(Boolean)];
  if (values.http && localRoots.length > 0) {
    throw new Error('--local-root is for stdio: over HTTP it would open this machine to every caller');
  }
  return {
    help: values.help,
    version: values.version,
    http: values.http ? addressOf(address ?? '127.0.0.1:7071') : undefined,
    settings: narrow(
      { ...everything, localRoots },
      {
        toolsets: values.toolsets ?? config.LEBUREAU_MCP_TOOLSETS,
        readOnly: values['read-only'] === true ? 'true' : config.LEBUREAU_MCP_READ_ONLY,
        desktop: values.desktop ?? (config.LEBUREAU_MCP_DESKTOP || undefined),
      },
    ),
    hosts: values['allow-host'],
    origins: values['allow-origin'],
  };
}

/** `7071`, `127.0.0.1:7071` or `[::1]:7071`. */
function addressOf(text: string): { host: string; port: number } {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) throw new Error(`"${text}" is no address: give host:port`);
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'), port };
}
