/** Sessions of our own tmux server, so that the person's tmux and its settings stay as they are. */
const server = 'tmux -u -L lebureau';
const terminalsMax = 16;

const settings = [
  'set -g status off',
  'set -g prefix None',
  'set -g history-limit 5000',
  'set -g default-terminal screen-256color',
  'set -sg escape-time 0',
  // The viewer keeps its own scroll-back.
  "set -g terminal-overrides 'xterm*:smcup@:rmcup@'",
];

/**
 * The command line that shows a terminal of this name: it goes on after the connection is lost, also when hostd restarts.
 * Whoever showed it before shows it no more. A desktop without tmux gives a plain shell, which ends with the connection.
 * @param name of the contract: letters, digits and hyphens
 */
export function terminalCommand(name: string): string {
  const attach = [`${server} -f /dev/null start-server`, ...settings, `new-session -A -D -s ${name}`].join(' \\; ');
  const isThere = `${server} has-session -t =${name} 2>/dev/null`;
  const count = `$(${server} list-sessions 2>/dev/null | wc -l)`;
  return [
    'if ! command -v tmux >/dev/null; then exec "${SHELL:-/bin/bash}" -l; fi',
    `if [ ${count} -ge ${terminalsMax} ] && ! ${isThere}; then echo 'Too many terminals are open.'; exit 1; fi`,
    `exec ${attach}`,
  ].join('; ');
}

/** Lists them: name, seconds since 1970 when it was made, how many show it. */
export const listCommand = [
  'tmux',
  '-L',
  'lebureau',
  'list-sessions',
  '-F',
  '#{session_name} #{session_created} #{session_attached}',
];

export function killCommand(name: string): string[] {
  return ['tmux', '-L', 'lebureau', 'kill-session', '-t', `=${name}`];
}
