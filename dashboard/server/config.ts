import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';
import { oneOf, readConfig } from '@lebureau/kit/config';
import { readPrivateKey } from './privateKey.ts';

/** A provider that signs people in: any OpenID Connect issuer, or GitHub, which is none. */
export interface ProviderConfig {
  /** Stands in paths: `/gateway/sign-in/{id}`. */
  id: string;
  /** Stands on the button. */
  name: string;
  kind: 'oidc' | 'github';
  /** URL of the issuer; of GitHub or GitHub Enterprise. */
  issuer: string;
  clientId: string;
  clientSecret: string;
}

export interface GatewayConfig {
  home: string;
  listen: { hostname: string; port: number };
  /** As browsers know us: scheme, host and port. */
  publicOrigin: string;
  /** Ports of desktops are origins of their own below it; undefined: browsers see none. */
  previewDomain: string | undefined;
  apiUrl: string;
  mcpUrl: string;
  /** Signs the assertions; Ed25519, PKCS #8 in PEM. */
  privateKey: string;
  /** Addresses whose `X-Forwarded-For` is believed. */
  trustedProxies: readonly string[];
  tls: { certificate: string; key: string } | undefined;
  /** Serve the local network, with a certificate of our own making. */
  lan: boolean;
  providers: readonly ProviderConfig[];
  /** Metadata of OAuth clients is also fetched from this machine. */
  clientMetadataLoopback: boolean;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

const text = (about: string) => ({ about, parse: (value: string): string | undefined => value, fallback: undefined });
const secret = (about: string) => ({ ...text(about), file: true });

function schema(home: string) {
  return {
    LEBUREAU_HOME: { about: 'folder of all state', parse: absolutePath, fallback: home },
    LEBUREAU_GATEWAY_LISTEN: {
      about: 'address and port of the dashboard',
      parse: address,
      fallback: { hostname: '127.0.0.1', port: 7000 },
    },
    LEBUREAU_PUBLIC_URL: {
      about: 'how browsers reach the dashboard: https://host',
      parse: origin,
      fallback: undefined,
    },
    LEBUREAU_PREVIEW_DOMAIN: {
      about: 'domain whose names *.DOMAIN lead to the dashboard, for ports of desktops',
      parse: domainName,
      fallback: undefined,
    },
    LEBUREAU_BASE_URL: {
      about: 'where the API is: http://host:port',
      parse: plainHttpUrl,
      fallback: 'http://127.0.0.1:7070',
    },
    LEBUREAU_MCP_URL: { about: 'where lb-mcp is', parse: httpUrl, fallback: 'http://127.0.0.1:7071/mcp' },
    LEBUREAU_GATEWAY_KEY: secret('private key that signs for the API; default: gateway-key in the home folder'),
    LEBUREAU_TRUSTED_PROXIES: {
      about: 'addresses of proxies before the dashboard, by commas',
      parse: (value: string): readonly string[] => value.split(',').map((each) => each.trim()),
      fallback: [] as readonly string[],
    },
    LEBUREAU_LAN: {
      about: 'on: serve the local network over TLS with a certificate of our own making',
      parse: oneOf(['on', 'off']),
      fallback: 'off' as const,
    },
    LEBUREAU_TLS_CERTIFICATE: text('file with the certificate chain of the dashboard'),
    LEBUREAU_TLS_KEY: text('file with its private key'),
    LEBUREAU_GITHUB_CLIENT_ID: text('OAuth app of GitHub'),
    LEBUREAU_GITHUB_CLIENT_SECRET: secret('its secret'),
    LEBUREAU_GITHUB_URL: { about: 'GitHub Enterprise', parse: httpUrl, fallback: 'https://github.com' },
    LEBUREAU_GOOGLE_CLIENT_ID: text('OAuth client of Google'),
    LEBUREAU_GOOGLE_CLIENT_SECRET: secret('its secret'),
    LEBUREAU_OIDC_ISSUER: { about: 'URL of an OpenID Connect issuer', parse: httpUrl, fallback: undefined },
    LEBUREAU_OIDC_NAME: { about: 'what its button says', parse: (value: string) => value, fallback: 'Single sign-on' },
    LEBUREAU_OIDC_CLIENT_ID: text('client id at that issuer'),
    LEBUREAU_OIDC_CLIENT_SECRET: secret('its secret'),
    LEBUREAU_CLIENT_METADATA_LOOPBACK: {
      about: 'on: metadata of MCP clients may lie on this machine, for clients under test',
      parse: oneOf(['on', 'off']),
      fallback: 'off' as const,
    },
    LEBUREAU_LOG_LEVEL: {
      about: 'how much is logged',
      parse: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
      fallback: 'info' as const,
    },
  };
}

type Values = ReturnType<typeof readConfig<ReturnType<typeof schema>>>;

/**
 * Waits for the key that the API makes, where none is given.
 * @param environment usually `process.env`
 * @throws Error that lists every mistake
 */
export async function readGatewayConfig(
  clock: Clock,
  environment: Record<string, string | undefined> = process.env,
): Promise<GatewayConfig> {
  const root = process.getuid?.() === 0;
  const values = readConfig(environment, schema(root ? '/var/lib/lebureau' : join(homedir(), '.lebureau')));
  const tls = tlsOf(values);
  const listen = values.LEBUREAU_GATEWAY_LISTEN;
  return {
    home: values.LEBUREAU_HOME,
    listen,
    publicOrigin: values.LEBUREAU_PUBLIC_URL ?? `${tls ? 'https' : 'http'}://localhost:${listen.port}`,
    previewDomain: values.LEBUREAU_PREVIEW_DOMAIN,
    apiUrl: values.LEBUREAU_BASE_URL,
    mcpUrl: values.LEBUREAU_MCP_URL,
    privateKey: values.LEBUREAU_GATEWAY_KEY ?? (await readPrivateKey(values.LEBUREAU_HOME, clock)),
    trustedProxies: values.LEBUREAU_TRUSTED_PROXIES,
    tls,
    lan: values.LEBUREAU_LAN === 'on',
    providers: providersOf(values),
    clientMetadataLoopback: values.LEBUREAU_CLIENT_METADATA_LOOPBACK === 'on',
    logLevel: values.LEBUREAU_LOG_LEVEL,
  };
}

function tlsOf(values: Values): GatewayConfig['tls'] {
  const { LEBUREAU_TLS_CERTIFICATE: certificate, LEBUREAU_TLS_KEY: key } = values;
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw new Error('LEBUREAU_TLS_CERTIFICATE and LEBUREAU_TLS_KEY belong together');
  return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
}

function providersOf(values: Values): ProviderConfig[] {
  const all: (Omit<ProviderConfig, 'issuer' | 'clientId' | 'clientSecret'> & {
    issuer: string | undefined;
    clientId: string | undefined;
    clientSecret: string | undefined;
  })[] = [
    {
      id: 'oidc',
      name: values.LEBUREAU_OIDC_NAME,
      kind: 'oidc',
      issuer: values.LEBUREAU_OIDC_ISSUER,
      clientId: values.LEBUREAU_OIDC_CLIENT_ID,
      clientSecret: values.LEBUREAU_OIDC_CLIENT_SECRET,
    },
    {
      id: 'github',
      name: 'GitHub',
      kind: 'github',
      issuer: values.LEBUREAU_GITHUB_URL,
      clientId: values.LEBUREAU_GITHUB_CLIENT_ID,
      clientSecret: values.LEBUREAU_GITHUB_CLIENT_SECRET,
    },
    {
      id: 'google',
      name: 'Google',
      kind: 'oidc',
      issuer: 'https://accounts.google.com',
      clientId: values.LEBUREAU_GOOGLE_CLIENT_ID,
      clientSecret: values.LEBUREAU_GOOGLE_CLIENT_SECRET,
    },
  ];
  return all.flatMap(({ issuer, clientId, clientSecret, ...rest }) => {
    if (clientId === undefined && clientSecret === undefined) return [];
    if (issuer === undefined || clientId === undefined || clientSecret === undefined)
      throw new Error(`Signing in by ${rest.name} wants its issuer, client id and client secret`);
    return [{ ...rest, issuer, clientId, clientSecret }];
  });
}

function absolutePath(value: string): string {
  if (!value.startsWith('/')) throw new Error('wants an absolute path');
  return value;
}

function address(value: string): { hostname: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname === undefined || Number(port) > 65_535) throw new Error('wants address:port');
  return { hostname, port: Number(port) };
}

function domainName(value: string): string | undefined {
  const name = value.toLowerCase().replace(/^\*\./, '');
  if (name.length > 200 || !/^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$/.test(name))
    throw new Error('wants a domain name of two labels or more');
  return name;
}

function httpUrl(value: string): string {
  if (!/^https?:\/\/[^@\s]+$/.test(value) || !URL.canParse(value)) throw new Error('wants an http(s) URL');
  return value.replace(/\/$/, '');
}

/** The dashboard speaks plain HTTP with the API, sockets too: on the same machine, or on a private network. */
function plainHttpUrl(value: string): string {
  if (!value.startsWith('http://')) throw new Error('wants http://host:port; between the two there is no TLS');
  return httpUrl(value);
}

/** Cookies of ours are `Secure`, which browsers keep on plain HTTP for this machine only. */
function origin(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null || url.origin === 'null' || url.href !== `${url.origin}/`) throw new Error('wants https://host');
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !isLoopback) throw new Error('wants https, except for localhost');
  return url.origin;
}
