import { readFileSync } from 'node:fs';

const form = /^[^@\s]+@[^!\s]+![^=\s]+=[0-9a-f-]{36}$/i;

/** The API token as it is now: a new one in the file takes the place of one that is refused, without a restart. */
export class PveToken {
  readonly #file: string | undefined;
  #text: string;

  constructor({ token, tokenFile }: { token: string; tokenFile?: string }) {
    this.#text = token;
    this.#file = tokenFile;
  }

  get text(): string {
    return this.#text;
  }

  /** Proxmox VE refused this one. @returns whether there is another */
  refused(text: string): boolean {
    // Another call has found it meanwhile.
    if (this.#text !== text) return true;
    const inFile = this.#read();
    if (inFile === undefined || inFile === text) return false;
    this.#text = inFile;
    return true;
  }

  /** Undefined while it is being written or cannot be read. */
  #read(): string | undefined {
    if (this.#file === undefined) return undefined;
    try {
      const text = readFileSync(this.#file, 'utf8').trim();
      return form.test(text) ? text : undefined;
    } catch {
      return undefined;
    }
  }

  /** @throws Error for what is none */
  static parse(text: string): string {
    if (form.test(text)) return text;
    throw new Error('wants USER@REALM!NAME=UUID');
  }
}
