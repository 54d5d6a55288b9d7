/** A refusal of the fake, in the form of the API's. */
export class FakeProblem extends Error {
  override readonly name = 'FakeProblem';
  readonly status: number;
  readonly code: string;
  readonly members: Record<string, unknown>;

  constructor(status: number, code: string, members: Record<string, unknown> = {}) {
    super(code);
    this.status = status;
    this.code = code;
    this.members = members;
  }

  toResponse(requestId: string): Response {
    const { retryAfterSeconds, ...members } = this.members;
    const body = {
      type: `/docs/errors#${this.code}`,
      title: this.code,
      status: this.status,
      code: this.code,
      detail: `The fake says ${this.code}.`,
      hint: 'Do something else.',
      requestId,
      retryable: this.status === 429 || this.status >= 500,
      ...members,
    };
    const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
    return new Response(JSON.stringify(body), { status: this.status, headers });
  }
}
