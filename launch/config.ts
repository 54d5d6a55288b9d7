import { homedir } from 'node:os';
import { join } from 'node:path';
import { integer, oneOf, readConfig } from '@lebureau/kit/config';

const absolutePath = (text: string) => {
  if (!text.startsWith('/')) throw new Error('wants an absolute path');
  return text;
};

/** What the program that it is for looks at more closely. */
const asItIs = (text: string): string | undefined => text;

export interface LaunchConfig {
  /** All state. */
  home: string;
  /** Downloads that can be fetched again. */
  cache: string;
  /** Public address of the API. */
  port: number;
  mcpPort: number;
  dashboardPort: number;
  /** Where the dashboard listens and how people know it, when that is not this machine alone. */
  dashboardListen: string | undefined;
  dashboardTls: boolean;
  publicUrl: string | undefined;
  /** Where the API listens for nodes, when there are others. */
  nodeListen: string | undefined;
  /** Which system desktops get; undefined: the builder's choice. */
  suite: Suite | undefined;
}

export const suites = ['bookworm', 'jammy', 'auto'] as const;
export type Suite = (typeof suites)[number];

/** @param environment usually `process.env`. @throws Error that lists every mistake. */
export function readLaunchConfig(environment: Record<string, string | undefined> = process.env): LaunchConfig {
  const root = process.getuid?.() === 0;
  const values = readConfig(environment, {
    LEBUREAU_HOME: {
      about: 'folder of all state',
      parse: absolutePath,
      fallback: root ? '/var/lib/lebureau' : join(homedir(), '.lebureau'),
    },
    LEBUREAU_PORT: { about: 'port of the API on 127.0.0.1', parse: integer(1, 65_535), fallback: 7070 },
    LEBUREAU_MCP_PORT: { about: 'port of MCP over HTTP on 127.0.0.1', parse: integer(1, 65_535), fallback: 7071 },
    LEBUREAU_DASHBOARD_PORT: { about: 'port of the dashboard on 127.0.0.1', parse: integer(1, 65_535), fallback: 7000 },
    LEBUREAU_GATEWAY_LISTEN: { about: 'address:port of the dashboard', parse: asItIs, fallback: undefined },
    LEBUREAU_TLS_CERTIFICATE: { about: 'certificate chain of the dashboard', parse: asItIs, fallback: undefined },
    LEBUREAU_PUBLIC_URL: { about: 'how browsers reach the dashboard', parse: asItIs, fallback: undefined },
    LEBUREAU_NODE_LISTEN: { about: 'where nodes connect', parse: asItIs, fallback: undefined },
    LEBUREAU_SUITE: {
      about: 'suite of the template',
      parse: oneOf(suites),
      fallback: undefined as Suite | undefined,
    },
  });
  return {
    home: values.LEBUREAU_HOME,
    cache: join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lebureau'),
    port: values.LEBUREAU_PORT,
    mcpPort: values.LEBUREAU_MCP_PORT,
    dashboardPort: values.LEBUREAU_DASHBOARD_PORT,
    dashboardListen: values.LEBUREAU_GATEWAY_LISTEN,
    dashboardTls: values.LEBUREAU_TLS_CERTIFICATE !== undefined,
    publicUrl: values.LEBUREAU_PUBLIC_URL,
    nodeListen: values.LEBUREAU_NODE_LISTEN,
    suite: values.LEBUREAU_SUITE,
  };
}
