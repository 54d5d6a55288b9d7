import { localhostAllowedHostnames, localhostAllowedOrigins } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { systemClock } from '@lebureau/kit/clock';
import { exitConfig } from '@lebureau/kit/config';
import { type Log, silentLog } from '@lebureau/kit/log';
import { introduce } from './callers.ts';
import { type CommandLine, readCommandLine, usage } from './commandLine.ts';
import { configFromEnvironment } from './config.ts';
import { ConfirmTokens } from './confirmToken.ts';
import { createHttpServer } from './http.ts';
import { listen } from './listen.ts';
import packageJson from './package.json' with { type: 'json' };
import { createServer } from './server.ts';

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

/** Runs lb-mcp until it is told to stop. stdout belongs to the protocol: words for people go to stderr. */
export async function main(args: string[]): Promise<void> {
  const config = readConfigOrExit();
  const line = readCommandLine(args, config);
  if (line.help) return console.error(usage);
  if (line.version) return console.error(packageJson.version);
  if (line.http) return await serveHttp(config.LEBUREAU_BASE_URL, line, line.http);
  if (config.LEBUREAU_API_KEY === '') throw new Error('No API key: set LEBUREAU_API_KEY (or LEBUREAU_API_KEY_FILE)');
  const caller = await introduce(config.LEBUREAU_BASE_URL, config.LEBUREAU_API_KEY);
  const tokens = new ConfirmTokens(systemClock);
  const parts = { caller, capabilities: caller.capabilities, settings: line.settings, tokens };
  serveStdio(() => createServer(parts), { onerror: (error) => console.error(`lb-mcp: ${error.message}`) });
}

function readConfigOrExit() {
  try {
    return configFromEnvironment();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(exitConfig);
  }
}

async function serveHttp(baseUrl: string, line: CommandLine, at: { host: string; port: number }): Promise<void> {
  const log: Log = { ...silentLog, warn: (event, fields) => console.error(JSON.stringify({ event, ...fields })) };
  const onLoopback = loopback.has(at.host);
  const server = createHttpServer({
    baseUrl,
    settings: line.settings,
    hosts: onLoopback
      ? [...localhostAllowedHostnames(), ...line.hosts]
      : line.hosts.length > 0
        ? line.hosts
        : undefined,
    origins: onLoopback ? [...localhostAllowedOrigins(), ...line.origins] : line.origins,
    clock: systemClock,
    log,
  });
  const listener = await listen(server.fetch, at);
  console.error(
    `lb-mcp serves http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${listener.port}/mcp for ${baseUrl}`,
  );
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await server.close();
  await listener.close(5000);
}
