import { randomBytes } from 'node:crypto';
import type { PveParts } from './transport.ts';

/** What a form says, in this order, and the file at its end. */
export interface FormWithFile {
  fields: readonly (readonly [name: string, value: string])[];
  /** The name that Proxmox VE is to know it by. */
  filename: string;
  file: { path: string; sizeBytes: number };
}

/**
 * Proxmox VE reads such a form by patterns instead of a parser: the fields in one fixed order before the file, the file's
 * field is `filename`, its disposition is the first header of its part, and one more header follows.
 */
export function formWithFile({ fields, filename, file }: FormWithFile): PveParts {
  const boundary = `lebureau-${randomBytes(12).toString('hex')}`;
  const part = (disposition: string, rest: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n${rest}`;
  return {
    boundary,
    before: [
      ...fields.map(([name, value]) => part(`name="${name}"`, `\r\n${value}\r\n`)),
      part(`name="filename"; filename="${filename}"`, 'Content-Type: application/octet-stream\r\n\r\n'),
    ].join(''),
    file,
    after: `\r\n--${boundary}--\r\n`,
  };
}
