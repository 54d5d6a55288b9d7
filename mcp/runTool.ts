import { LeBureauError } from '@lebureau/sdk/faults';
import type { LeBureau } from '@lebureau/sdk';
import {
  type CallToolResult,
  type InputRequiredResult,
  type ServerContext,
  inputRequired,
  inputResponse,
} from '@modelcontextprotocol/server';
import { answerResult } from './answerResult.ts';
import type { ConfirmTokens } from './confirmToken.ts';
import { faultAnswer } from './faultAnswer.ts';
import type { Settings } from './settings.ts';
import type { Tool, ToolCall } from './tool.ts';

/** Clients give up after 60 s, so a call ends before. */
const callMaxMsDefault = 45_000;
const progressEveryMs = 2500;

/** Who asks: one API key, or one client that somebody allowed in. */
export interface Caller {
  bureau: LeBureau;
  /** A digest of the key, or the grant of the client. */
  id: string;
}

export interface Runner {
  caller: Caller;
  settings: Settings;
  tokens: ConfirmTokens;
  /** After this a call ends with a failure that says so. Default 45,000. */
  callMaxMs?: number | undefined;
  /** Whether the client of this request can put a question to its user. */
  canAsk(context: ServerContext): boolean;
}

type Args = Record<string, unknown> & { desktopId?: string; confirmToken?: string };

/** One tool call: confirmation, time limit, progress, and failures as results. */
export async function runTool(
  tool: Tool,
  given: Args,
  { runner, context }: { runner: Runner; context: ServerContext },
): Promise<CallToolResult | InputRequiredResult> {
  const { desktopId = runner.settings.desktopId ?? '', confirmToken, ...args } = given;
  const question = tool.confirm?.(args, desktopId);
  if (question !== undefined) {
    const refusal = unconfirmed({ question, tool, args: { ...args, desktopId }, confirmToken }, runner, context);
    if (refusal) return refusal;
  }
  const { callMaxMs = callMaxMsDefault } = runner;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), callMaxMs);
  const progress = new Progress(context);
  const call: ToolCall = {
    bureau: runner.caller.bureau,
    desktop: runner.caller.bureau.desktop(desktopId),
    options: { signal: AbortSignal.any([context.mcpReq.signal, limit.signal]), timeoutMs: callMaxMs },
    localRoots: runner.settings.localRoots,
    report: (message) => progress.say(message),
  };
  try {
    return answerResult(await tool.run(args, call), desktopId);
  } catch (error) {
    const answer = await faultAnswer(error, call);
    if (!answer) throw error instanceof LeBureauError ? new Error(error.message) : error;
    return answerResult(answer, desktopId);
  } finally {
    clearTimeout(timer);
    progress.end();
  }
}

interface Unconfirmed {
  question: string;
  tool: Tool;
  args: Record<string, unknown>;
  confirmToken: string | undefined;
}

/** @returns what to answer instead of doing it; undefined when it was confirmed. */
function unconfirmed(
  { question, tool, args, confirmToken }: Unconfirmed,
  runner: Runner,
  context: ServerContext,
): CallToolResult | InputRequiredResult | undefined {
  const confirmed = { caller: runner.caller.id, tool: tool.name, args };
  if (confirmToken !== undefined) {
    if (runner.tokens.accepts(confirmToken, confirmed)) return undefined;
    const text = `That confirmToken is not for these arguments, or is older than five minutes. Nothing was done. Next: ${tool.name} without confirmToken.`;
    return answerResult({ text, failed: true }, undefined);
  }
  const said = inputResponse(context.mcpReq.inputResponses, 'confirm');
  if (said.kind === 'elicit') {
    const state = context.mcpReq.requestState<string>();
    const ours = typeof state === 'string' && runner.tokens.accepts(state, confirmed);
    if (said.action === 'accept' && said.content?.confirm === true && ours) return undefined;
    return answerResult({ text: 'The user did not agree. Nothing was done.', failed: true }, undefined);
  }
  const token = runner.tokens.issue(confirmed);
  if (runner.canAsk(context)) {
    const requestedSchema = {
      type: 'object' as const,
      properties: { confirm: { type: 'boolean' as const, title: 'Yes, do it' } },
      required: ['confirm'],
    };
    const confirm = inputRequired.elicit({ message: question, requestedSchema });
    return inputRequired({ inputRequests: { confirm }, requestState: token });
  }
  const text = `${question} Nothing was done yet. Ask the user; if they agree, call ${tool.name} again within five minutes with the same arguments and confirmToken "${token}".`;
  return answerResult({ text, data: { confirmToken: token, question } }, undefined);
}

/** Tells a client that asked for it, every few seconds, that the call is alive. */
class Progress {
  readonly #context: ServerContext;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #message = 'working';
  #count = 0;

  constructor(context: ServerContext) {
    this.#context = context;
    if (context.mcpReq._meta?.progressToken !== undefined) {
      this.#timer = setInterval(() => this.#send(), progressEveryMs);
    }
  }

  say(message: string): void {
    this.#message = message;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #send(): void {
    const progressToken = this.#context.mcpReq._meta?.progressToken;
    if (progressToken === undefined) return;
    const params = { progressToken, progress: ++this.#count, message: this.#message };
    // A client that has gone away is noticed by the call itself.
    this.#context.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {});
  }
}
