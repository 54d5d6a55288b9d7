import { paths } from './authorizationServer.ts';
import type { OauthParts } from './oauthParts.ts';
import { scopes } from './scopes.ts';

/** RFC 9728: who gives tokens for /mcp, and for what. */
export function protectedResource({ resource, gateway }: OauthParts): object {
  const { publicOrigin } = gateway.config;
  return {
    resource,
    resource_name: 'Le Bureau',
    resource_documentation: `${publicOrigin}/docs/mcp`,
    authorization_servers: [publicOrigin],
    scopes_supported: scopes,
    bearer_methods_supported: ['header'],
  };
}

/** RFC 8414, without what the library could do as an OpenID provider. */
export function serverMetadata({ gateway, provider }: OauthParts): object {
  const { publicOrigin } = gateway.config;
  return {
    issuer: provider.issuer,
    authorization_endpoint: publicOrigin + paths.authorize,
    token_endpoint: publicOrigin + paths.token,
    registration_endpoint: publicOrigin + paths.register,
    revocation_endpoint: publicOrigin + paths.revoke,
    scopes_supported: scopes,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    service_documentation: `${publicOrigin}/docs/mcp`,
  };
}

/** Where a client that has no token, or no good one, finds out how to get one. */
export function challenge({ gateway }: OauthParts, error?: string): string {
  const at = `${gateway.config.publicOrigin}/.well-known/oauth-protected-resource/mcp`;
  const what = error === undefined ? '' : `error="${error}", `;
  return `Bearer ${what}scope="${scopes.join(' ')}", resource_metadata="${at}"`;
}
