import type { BatchResult } from '../computer.ts';

/** What goes back to a vendor's model after its calls were run as one batch. */

interface Picture {
  data: string;
  mimeType: string;
}

export interface AnthropicToolResult {
  type: 'tool_result';
  tool_use_id: string;
  is_error?: true;
  content: (
    | { type: 'text'; text: string }
    | { type: 'image'; source: { type: 'base64'; media_type: string; data: string } }
  )[];
}

/** One result for each `tool_use` block, in order. The screen stands in the last; calls after a failure were not run. */
export function toAnthropicResults(toolUseIds: readonly string[], result: BatchResult): AnthropicToolResult[] {
  return toolUseIds.map((tool_use_id, at) => {
    const one = result.results[at];
    const own = one?.result?.screenshot?.images[0];
    const last = at === toolUseIds.length - 1;
    const shown = own ? { data: own.data, mimeType: `image/${own.format}` } : last ? screenOf(result) : undefined;
    const content: AnthropicToolResult['content'] = [{ type: 'text', text: wordsFor(one) }];
    if (shown)
      content.push({ type: 'image', source: { type: 'base64', media_type: shown.mimeType, data: shown.data } });
    return { type: 'tool_result', tool_use_id, ...(one?.ok ? {} : { is_error: true as const }), content };
  });
}

export interface OpenAICallOutput {
  type: 'computer_call_output';
  call_id: string;
  output: { type: 'computer_screenshot'; image_url: string };
}

/** @throws RangeError when the batch was run without a screenshot: this vendor's answer is the screen. */
export function toOpenAIOutput(callId: string, result: BatchResult): OpenAICallOutput {
  const { mimeType, data } = mustShow(result);
  const output = { type: 'computer_screenshot' as const, image_url: `data:${mimeType};base64,${data}` };
  return { type: 'computer_call_output', call_id: callId, output };
}

export interface GeminiFunctionResponse {
  functionResponse: {
    name: string;
    response: { output?: string; error?: string };
    parts?: { inlineData: { mimeType: string; data: string } }[];
  };
}

/** One response for each function call, in order. The screen stands in the last. */
export function toGeminiResponses(names: readonly string[], result: BatchResult): GeminiFunctionResponse[] {
  return names.map((name, at) => {
    const one = result.results[at];
    const screen = at === names.length - 1 ? screenOf(result) : undefined;
    const response = one?.ok ? { output: wordsFor(one) } : { error: wordsFor(one) };
    return { functionResponse: { name, response, ...(screen ? { parts: [{ inlineData: screen }] } : {}) } };
  });
}

function wordsFor(one: BatchResult['results'][number] | undefined): string {
  if (!one) return 'Not run: an action before it failed.';
  if (!one.ok) return `${one.error?.detail ?? 'It failed.'} ${one.error?.hint ?? ''}`.trim();
  const { x, y, matched } = one.result ?? {};
  if (x !== undefined && y !== undefined) return `X=${x}, Y=${y}`;
  return matched ?? 'Done.';
}

function screenOf({ screenshot }: BatchResult): Picture | undefined {
  const [image] = screenshot?.images ?? [];
  return image && { data: image.data, mimeType: `image/${image.format}` };
}

function mustShow(result: BatchResult): Picture {
  const picture = screenOf(result);
  if (!picture) throw new RangeError('The batch was run without a screenshot');
  return picture;
}
