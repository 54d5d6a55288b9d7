/** One answer of the API. The reason is kept, because it is the only text of a 401, 595 or 596. */
export interface PveAnswer {
  status: number;
  reason: string;
  body: string;
  /** The node's clock as it answered, milliseconds since 1970, to the second. */
  dateMs?: number;
}

/** Reads what a server sent on a connection that it closed behind its one answer. @throws Error when that is not whole. */
export function readAnswer(bytes: Buffer): PveAnswer {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) throw new Error('the connection closed before an answer came');
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first);
  if (!match) throw new Error('the other side does not speak HTTP');
  const header = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const rest = bytes.subarray(end + 4);
  const isChunked = header('transfer-encoding')?.toLowerCase() === 'chunked';
  const body = isChunked ? joinChunks(rest) : whole(rest, header('content-length'));
  const date = Date.parse(header('date') ?? '');
  return {
    status: Number(match[1]),
    reason: Buffer.from(match[2] ?? '', 'latin1').toString('utf8'),
    body: body.toString('utf8'),
    ...(Number.isNaN(date) ? {} : { dateMs: date }),
  };
}

function whole(body: Buffer, length: string | undefined): Buffer {
  if (length !== undefined && body.length < Number(length)) throw new Error('the answer was cut off');
  return length === undefined ? body : body.subarray(0, Number(length));
}

function joinChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at);
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (Number.isNaN(size) || line + 2 + size > bytes.length) throw new Error('the answer was cut off');
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}
