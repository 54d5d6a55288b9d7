import type { LeBureau } from '@lebureau/sdk';
import type { Desktop } from '@lebureau/sdk/desktop';
import type { CallOptions } from '@lebureau/sdk/transport';
import type { Me } from '@lebureau/sdk/types';

export type Capability = Me['capabilities'][number];

export const toolsets = ['desktops', 'computer', 'exec', 'files'] as const;
export type Toolset = (typeof toolsets)[number];

/** A part of a JSON Schema, as far as the tools use it. */
export interface Schema {
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  description?: string;
  enum?: readonly string[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: Schema;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
}

/** What a tool does to the world (the four annotations of the protocol). */
export interface Effect {
  readOnly: boolean;
  destructive: boolean;
  idempotent: boolean;
  /** Its answer holds what came from a screen, a command or a file: content that nobody vouches for. */
  openWorld: boolean;
}

export interface Tool<Args = Record<string, unknown>> {
  name: string;
  title: string;
  toolset: Toolset;
  capability: Capability;
  /** At most 600 characters. */
  description: string;
  /** True: takes `desktopId`, unless the server is pinned to one. */
  onDesktop: boolean;
  input: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  effect: Effect;
  /** Reads and writes files of the machine that the server runs on: only where folders were opened to it. */
  local?: boolean;
  /** The question that a person or a second call must answer first; undefined: none for these arguments. */
  confirm?: (args: Args, desktopId: string) => string | undefined;
  run: (args: Args, call: ToolCall) => Promise<Answer>;
}

/** What a running tool call stands on. */
export interface ToolCall {
  bureau: LeBureau;
  /** The desktop named by the arguments, or the pinned one. */
  desktop: Desktop;
  /** Signal and time limit for the one REST call. */
  options: CallOptions;
  /** Folders of this machine that were opened to the tools. */
  localRoots: readonly string[];
  /** Reports what is going on, to clients that asked for progress. */
  report: (message: string) => void;
}

export interface Answer {
  /** Our own words: facts and the next step. */
  text: string;
  /** Content of the desktop, and what it is. Put into a labelled block. */
  untrusted?: { what: string; text: string }[];
  /** Base64. */
  image?: { data: string; mimeType: string };
  /** Also given as structured content, for clients that take that instead of text. */
  data?: Record<string, unknown>;
  failed?: boolean;
}

/** Keeps the type of the arguments inside the tool's own file. The input schema is what holds callers to it. */
export function defineTool<Args>(tool: Tool<Args>): Tool {
  return tool as unknown as Tool;
}
