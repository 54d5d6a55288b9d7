/**
 * The server's side of an RFB handshake towards a viewer that was let in already: no password (RFC 6143 §7.1–7.3). Then
 * it is given the beginning that the real server gave us.
 */
export class RfbGreeting {
  readonly #send: (bytes: Buffer) => void;
  readonly #init: Buffer;
  #kept: Buffer = Buffer.alloc(0);
  #stage: 'version' | 'security' | 'init' | 'done' = 'version';
  #minor = 8;

  /** @param init the whole ServerInit message */
  constructor(parts: { send: (bytes: Buffer) => void; init: Buffer }) {
    this.#send = parts.send;
    this.#init = parts.init;
    this.#send(Buffer.from('RFB 003.008\n'));
  }

  /** @returns what follows the handshake, or undefined while it goes on. @throws Error for what is no RFB client */
  take(piece: Buffer): Buffer | undefined {
    let bytes = Buffer.concat([this.#kept, piece]);
    for (;;) {
      if (this.#stage === 'done') return bytes;
      const wanted = this.#stage === 'version' ? 12 : 1;
      if (bytes.length < wanted) {
        this.#kept = bytes;
        return undefined;
      }
      this.#step(bytes.subarray(0, wanted));
      bytes = bytes.subarray(wanted);
    }
  }

  #step(bytes: Buffer): void {
    switch (this.#stage) {
      case 'version': {
        const [, minor] = /^RFB 003\.(003|007|008)\n$/.exec(bytes.toString('latin1')) ?? [];
        if (minor === undefined) throw new Error('that is no RFB client');
        this.#minor = Number(minor);
        // The oldest version leaves the viewer no choice.
        this.#send(this.#minor === 3 ? Buffer.from([0, 0, 0, 1]) : Buffer.from([1, 1]));
        this.#stage = this.#minor === 3 ? 'init' : 'security';
        return;
      }
      case 'security':
        if (bytes[0] !== 1) throw new Error(`security type ${bytes[0]} was not offered`);
        if (this.#minor === 8) this.#send(Buffer.alloc(4));
        this.#stage = 'init';
        return;
      case 'init':
        // Whether the viewer wants to be alone does not matter: others stay.
        this.#send(this.#init);
        this.#stage = 'done';
        return;
      case 'done':
    }
  }
}
