import { renderUnicodeCompact } from 'uqr';

export interface LanAddress {
  publicOrigin: string;
  /** SHA-256 of the certificate. */
  fingerprint: string;
}

export interface Welcome {
  apiAddress: string;
  mcpAddress: string;
  dashboardAddress: string;
  /** What signs the first owner in, until somebody has used it. */
  ownerLink: string | undefined;
  /** Set where the local network is served. */
  lan?: LanAddress | undefined;
  apiKey: string;
  keyFile: string;
  /** Show the key itself: on the very first start, and when it is asked for. */
  first: boolean;
  /** False: the way in is printed again, and perhaps nothing runs. */
  running: boolean;
  mcpCommand: string[];
}

/** What a newcomer sees at the end of `npm start`. */
export function welcomeText(welcome: Welcome): string {
  const [command, ...args] = welcome.mcpCommand;
  const server = {
    command,
    args,
    env: {
      LEBUREAU_BASE_URL: welcome.apiAddress,
      LEBUREAU_API_KEY: welcome.first ? welcome.apiKey : `(the content of ${welcome.keyFile})`,
    },
  };
  const key = welcome.first
    ? `${welcome.apiKey}   (shown once; kept in ${welcome.keyFile})`
    : `in ${welcome.keyFile}   (npm start -- --show-config prints the MCP configuration again)`;
  const lines = [
    '',
    welcome.running ? 'Le Bureau is running.' : 'The way in, while npm start runs:',
    '',
    `  Dashboard  ${dashboardLink(welcome)}`,
    `  API        ${welcome.apiAddress}/v1`,
    `  MCP        ${welcome.mcpAddress}/mcp   (Streamable HTTP, the API key as Bearer)`,
    `  API key    ${key}`,
    '',
  ];
  if (welcome.lan) lines.push(...lanLines(welcome, welcome.lan));
  if (welcome.first) {
    lines.push(
      'Paste this into claude_desktop_config.json (Claude Desktop) or ~/.cursor/mcp.json (Cursor):',
      '',
      indent(JSON.stringify({ mcpServers: { lebureau: server } }, null, 2)),
      '',
      'into .vscode/mcp.json (VS Code):',
      '',
      indent(JSON.stringify({ servers: { lebureau: { type: 'stdio', ...server } } }, null, 2)),
      '',
      'or run (Claude Code):',
      '',
      `  claude mcp add lebureau -e LEBUREAU_BASE_URL=${welcome.apiAddress} -e LEBUREAU_API_KEY=${welcome.apiKey} -- ${welcome.mcpCommand.join(' ')}`,
      '',
    );
  }
  lines.push(
    'A first desktop:',
    '',
    `  curl -s -X POST ${welcome.apiAddress}/v1/desktops -H "Authorization: Bearer $(cat ${welcome.keyFile})" \\`,
    `    -H 'Content-Type: application/json' -d '{"name":"first","size":"nano"}'`,
    '',
    ...(welcome.running
      ? ['Ctrl-C stops the service; desktops keep running and are found again at the next start.', '']
      : []),
  );
  return lines.join('\n');
}

function dashboardLink({ dashboardAddress, lan, ownerLink }: Welcome): string {
  const origin = lan?.publicOrigin ?? dashboardAddress;
  return ownerLink === undefined ? origin : `${origin}/sign-in/link#${ownerLink}   (signs you in, once)`;
}

/** For a phone: the link as a picture, and what its browser must show of the certificate. */
function lanLines(welcome: Welcome, lan: LanAddress): string[] {
  const link = dashboardLink(welcome).split(' ')[0]!;
  return [
    'On the local network. The browser warns once, since this machine signed its certificate itself; compare its SHA-256:',
    '',
    `  ${lan.fingerprint.slice(0, 47)}`,
    `  ${lan.fingerprint.slice(48)}`,
    '',
    indent(renderUnicodeCompact(link)),
    '',
  ];
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
