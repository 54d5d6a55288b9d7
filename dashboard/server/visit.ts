/** One request, and where it came from. */
export interface Visit {
  request: Request;
  url: URL;
  /** Of the browser, not of a proxy of ours. */
  ipAddress: string;
  /** The request may go on for longer than the listener leaves a connection idle: for so long, or for as long as it likes. */
  mayBeSilent(seconds?: number): void;
}
