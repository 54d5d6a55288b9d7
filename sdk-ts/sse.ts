/** Server-sent events (WHATWG HTML, 9.2) from a byte stream. */
export interface ServerSentEvent {
  id: string | undefined;
  event: string;
  data: string;
  retryMs: number | undefined;
}

/** A line longer than this is no event of ours. */
const lineMaxChars = 4 * 1024 * 1024;

export async function* parseEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let draft = new Draft();
  for await (const line of linesOf(body)) {
    if (line !== '') {
      draft.take(line);
      continue;
    }
    if (draft.hasData) yield draft.finish();
    draft = new Draft();
  }
}

class Draft {
  #data: string[] = [];
  #event = 'message';
  #id: string | undefined;
  #retryMs: number | undefined;

  get hasData(): boolean {
    return this.#data.length > 0;
  }

  take(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.#retryMs = Number(value);
  }

  finish(): ServerSentEvent {
    return { id: this.#id, event: this.#event, data: this.#data.join('\n'), retryMs: this.#retryMs };
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      // A lone CR at the end may be the first half of CRLF, so it waits for what comes next.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      if (rest.length > lineMaxChars) throw new Error('The event stream has a line of more than 4 MiB');
      yield* lines;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
