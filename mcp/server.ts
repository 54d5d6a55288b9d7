import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  McpServer,
  type ServerContext,
  type StandardSchemaWithJSON,
  fromJsonSchema,
} from '@modelcontextprotocol/server';
import packageJson from './package.json' with { type: 'json' };
import { chooseTools, inputSchemaOf } from './catalog.ts';
import type { ConfirmTokens } from './confirmToken.ts';
import { instructionsFor } from './instructions.ts';
import { addPrompts } from './prompts.ts';
import { addResources } from './resources.ts';
import { type Caller, type Runner, runTool } from './runTool.ts';
import type { Settings } from './settings.ts';
import type { Capability, Schema, Tool } from './tool.ts';

export interface ServerParts {
  caller: Caller;
  capabilities: ReadonlySet<Capability>;
  settings: Settings;
  tokens: ConfirmTokens;
  callMaxMs?: number | undefined;
}

/** The server for one connection or one HTTP request. Cheap: schemas are compiled once a process. */
export function createServer({ caller, capabilities, settings, tokens, callMaxMs }: ServerParts): McpServer {
  const tools = chooseTools(settings, capabilities);
  const server = new McpServer(
    { name: 'lebureau', title: 'Le Bureau', version: packageJson.version },
    {
      instructions: instructionsFor(tools, settings),
      capabilities: { tools: {}, resources: {}, prompts: {}, completions: {} },
      cacheHints: { 'tools/list': { ttlMs: 300_000, cacheScope: 'private' } },
    },
  );
  const runner: Runner = { caller, settings, tokens, callMaxMs, canAsk: (context) => canAsk(server, context) };
  for (const tool of tools) {
    const { readOnly, destructive, idempotent, openWorld } = tool.effect;
    server.registerTool(
      tool.name,
      {
        title: tool.title,
        description: tool.description,
        inputSchema: compiled(tool, settings.desktopId !== undefined),
        annotations: {
          title: tool.title,
          readOnlyHint: readOnly,
          destructiveHint: destructive,
          idempotentHint: idempotent,
          openWorldHint: openWorld,
        },
      },
      (args, context) => runTool(tool, args, { runner, context }),
    );
  }
  if (settings.toolsets.has('desktops') && capabilities.has('desktop:read'))
    addResources(server, caller.bureau, settings);
  addPrompts(server, settings);
  return server;
}

const schemas = new Map<string, StandardSchemaWithJSON<Record<string, unknown>>>();

function compiled(tool: Tool, pinned: boolean): StandardSchemaWithJSON<Record<string, unknown>> {
  const name = `${tool.name} ${pinned}`;
  const known = schemas.get(name);
  if (known) return known;
  const schema = fromJsonSchema<Record<string, unknown>>(
    inputSchemaOf(tool, pinned) as Schema & { type: 'object' } as never,
  );
  schemas.set(name, schema);
  return schema;
}

function canAsk(server: McpServer, context: ServerContext): boolean {
  const envelope: Record<string, unknown> = { ...context.mcpReq.envelope };
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined;
  const capabilities = declared ?? server.server.getClientCapabilities();
  return capabilities?.elicitation !== undefined;
}
