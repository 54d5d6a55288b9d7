import { createHash, type Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';
import type { Parameters } from './verify.ts';

/** A file in /var/tmp of the daemon that was asked. Its bytes are not kept. */
export interface Upload {
  sizeBytes: number;
  /** Its first bytes: what kind of image it is. */
  head: Buffer;
  /** By the algorithm that the form named. */
  checksum?: string;
}

const headBytes = 64;
const formMaxBytes = 64 * 1024;

export function isUpload(incoming: IncomingMessage): boolean {
  return (
    incoming.method === 'POST' && /\/nodes\/[^/]+\/storage\/[^/]+\/upload$/.test(incoming.url?.split('?')[0] ?? '')
  );
}

/**
 * Takes a form with a file as pveproxy does: by patterns, not by a parser. Fields are found in this order only, before the
 * file; the file's field is `filename`.
 * @throws Refusal in pveproxy's words
 */
export async function takeUpload(
  incoming: IncomingMessage,
  freeBytes: number,
): Promise<{ params: Parameters; upload: Upload }> {
  const type = incoming.headers['content-type'] ?? '';
  const boundary = /^multipart\/form-data\s*[;,]\s*boundary\s*=\s*(\S+)$/.exec(type)?.[1];
  if (boundary === undefined) throw failed(`upload 'Content-Type '${type}' not implemented`);
  if (incoming.headers['transfer-encoding'] !== undefined) throw failed('chunked transfer encoding not supported');
  const form = new Form(boundary, freeBytes);
  let refused: unknown;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    // The rest is read and dropped, so that the answer is not lost with the connection.
    if (refused !== undefined) continue;
    try {
      form.take(chunk);
    } catch (error) {
      refused = error;
    }
  }
  if (refused !== undefined) throw refused;
  return form.end();
}

function failed(text: string): Refusal {
  return new Refusal(501, text, { body: 'none' });
}

class Form {
  private readonly params: Parameters = {};
  private hash: Hash | undefined;
  private phase: 'fields' | 'file' | 'whole' = 'fields';
  private rest: Buffer = Buffer.alloc(0);
  private head = Buffer.alloc(0);
  private sizeBytes = 0;

  constructor(
    private readonly boundary: string,
    private readonly freeBytes: number,
  ) {}

  take(chunk: Buffer): void {
    if (this.phase === 'whole') return;
    this.rest = Buffer.concat([this.rest, chunk]);
    if (this.phase === 'fields') this.readFields();
    if (this.phase === 'file') this.readFile();
  }

  end(): { params: Parameters; upload: Upload } {
    if (this.phase !== 'whole') throw failed('upload failed');
    const checksum = this.hash?.digest('hex');
    return { params: this.params, upload: { sizeBytes: this.sizeBytes, head: this.head, checksum } };
  }

  private readFields(): void {
    if (this.rest.length > formMaxBytes && !this.rest.includes('filename=')) throw failed('upload failed');
    const delimiter = `--${this.boundary.replace(/[^\w]/g, '\\$&')}\r?\n`;
    let text = this.rest.toString('latin1').replace(new RegExp(`^[^]*?(${delimiter})`), '$1');
    const found: Parameters = {};
    for (const name of ['content', 'checksum-algorithm', 'checksum']) {
      const field = new RegExp(
        `^${delimiter}[^]*?Content-Disposition: ([^]*?); name="${name}"([^]*?${delimiter})`,
      ).exec(text);
      if (!field) continue;
      if (field[1] !== 'form-data') throw failed(`wrong Content-Disposition '${field[1]}' in multipart`);
      text = field[2] + text.slice(field[0].length);
      text = text.replace(/^[^]*?\r?\n\r?\n/, '');
      const value = new RegExp(`^([^]*?)(${delimiter})`).exec(text)!;
      found[name] = value[1]!.trim();
      text = text.slice(value[1]!.length);
    }
    const file = new RegExp(`^${delimiter}Content-Disposition: ([^]*?); name="([^]*?)"; filename="([^"]+)"\r?\n`).exec(
      text,
    );
    if (!file) return;
    if (file[2] !== 'filename') throw failed(`wrong field name '${file[2]}' for file upload, expected 'filename'`);
    Object.assign(this.params, found, { filename: file[3]!.trim() });
    text = text.slice(file[0].length).replace(/^[^]*?\r?\n\r?\n/, '');
    this.rest = Buffer.from(text, 'latin1');
    this.phase = 'file';
    const algorithm = String(found['checksum-algorithm'] ?? '');
    if (/^(md5|sha(1|224|256|384|512))$/.test(algorithm)) this.hash = createHash(algorithm);
  }

  private readFile(): void {
    const close = Buffer.from(`--${this.boundary}--`);
    const at = this.rest.indexOf(close);
    if (at >= 0) {
      const isAfterLine = this.rest.toString('latin1', at - 2, at) === '\r\n';
      this.write(this.rest.subarray(0, isAfterLine ? at - 2 : at));
      this.rest = Buffer.alloc(0);
      this.phase = 'whole';
      return;
    }
    const kept = close.length + 8;
    if (this.rest.length <= kept) return;
    this.write(this.rest.subarray(0, this.rest.length - kept));
    this.rest = Buffer.from(this.rest.subarray(this.rest.length - kept));
  }

  private write(data: Buffer): void {
    this.sizeBytes += data.length;
    if (this.sizeBytes > this.freeBytes) throw failed('write to temporary file failed - No space left on device');
    if (this.head.length < headBytes) this.head = Buffer.concat([this.head, data]).subarray(0, headBytes);
    this.hash?.update(data);
  }
}
