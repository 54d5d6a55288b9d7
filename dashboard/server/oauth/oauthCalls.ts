import type { components } from '@lebureau/sdk/generated/public';
import { type AskApi, orNone } from '../askApi.ts';
import { hashOf } from '../sessions.ts';

type Schemas = components['schemas'];
export type GrantCapability = Schemas['GrantCapability'];
export type FoundGrant = Schemas['FoundGrant'];
export type NewGrant = Schemas['CreateGrant'];
export type RecordKind = Schemas['OauthRecordName']['kind'];

export interface KeptRecord {
  payload: Record<string, unknown>;
  consumed: boolean;
}

/** What the authorization server keeps, as rows of the API; names of records go there as hashes only. */
export class OauthCalls {
  readonly #ask: AskApi;

  constructor(ask: AskApi) {
    this.#ask = ask;
  }

  save(
    kind: RecordKind,
    name: string,
    kept: { grantId: string | null; payload: object; expiresInSeconds: number },
  ): Promise<void> {
    return this.#ask('/v1/oauth/records', { kind, hash: hashOf(name), ...kept });
  }

  find(kind: RecordKind, name: string): Promise<KeptRecord | undefined> {
    return orNone(this.#ask('/v1/oauth/records/find', { kind, hash: hashOf(name) }));
  }

  /** False when it was used up before: then its grant has ended. */
  async consume(kind: RecordKind, name: string): Promise<boolean> {
    const answer = await orNone(
      this.#ask<{ first: boolean }>('/v1/oauth/records/consume', { kind, hash: hashOf(name) }),
    );
    return answer?.first ?? false;
  }

  forget(kind: RecordKind, name: string): Promise<void> {
    return this.#ask('/v1/oauth/records/delete', { kind, hash: hashOf(name) });
  }

  /** @throws Fault `capability_missing`, `not_found` when the session has ended */
  allow(grant: NewGrant): Promise<FoundGrant> {
    return this.#ask('/v1/oauth/grants', grant);
  }

  grant(grantId: string): Promise<FoundGrant | undefined> {
    return orNone(this.#ask('/v1/oauth/grants/find', { grantId }));
  }

  end(grantId: string): Promise<void> {
    return this.#ask('/v1/oauth/grants/end', { grantId });
  }

  /** What an access token allows now. */
  access(token: string): Promise<FoundGrant | undefined> {
    return orNone(this.#ask('/v1/oauth/access', { kind: 'access', hash: hashOf(token) }));
  }

  async good(grantIds: readonly string[]): Promise<ReadonlySet<string>> {
    const answer = await this.#ask<{ grantIds: string[] }>('/v1/oauth/grants/good', { grantIds });
    return new Set(answer.grantIds);
  }
}
