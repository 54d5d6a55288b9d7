import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Answer } from './tool.ts';

/** The answer of a tool in the protocol's form: all in text, one picture at most, foreign content in labelled blocks. */
export function answerResult(answer: Answer, desktopId: string | undefined): CallToolResult {
  const blocks = (answer.untrusted ?? []).map((block) => untrusted(block.what, block.text));
  const label = answer.image ? ['The picture shows untrusted content of the desktop.'] : [];
  const content: CallToolResult['content'] = [
    { type: 'text', text: [answer.text, ...label, ...blocks].filter((text) => text !== '').join('\n') },
  ];
  if (answer.image) content.push({ type: 'image', ...answer.image });
  const result: CallToolResult = { content };
  if (answer.data) result.structuredContent = answer.data;
  if (answer.failed) result.isError = true;
  if (desktopId !== undefined && (answer.image || blocks.length > 0))
    result._meta = { 'lebureau/untrusted': desktopId };
  return result;
}

/** The mark changes with every block, so that content cannot pretend to end it. */
function untrusted(what: string, text: string): string {
  const mark = crypto.randomUUID().slice(0, 8);
  return `<untrusted-${mark} what=${JSON.stringify(what)}>\n${text}\n</untrusted-${mark}>`;
}
