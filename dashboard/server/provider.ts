import type { Flow } from './flow.ts';
import type { Identity } from './signInCalls.ts';

/** Someone who vouches for people. */
export interface Provider {
  id: string;
  name: string;
  /** Where the browser goes. */
  authorize(flow: Pick<Flow, 'state' | 'nonce' | 'verifier'>): Promise<URL>;
  /** Who came back. @throws Fault `sign_in_refused` with a sentence for people; anything else is a bug or a failure of theirs */
  identify(callback: URL, flow: Flow): Promise<Identity>;
}
