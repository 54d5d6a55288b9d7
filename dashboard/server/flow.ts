/** A sign-in that is on its way through a provider. */
export interface Flow {
  provider: string;
  state: string;
  nonce: string;
  /** Of PKCE. */
  verifier: string;
  returnTo: string;
}
