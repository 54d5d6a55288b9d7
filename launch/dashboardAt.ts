import type { LaunchConfig } from './config.ts';

/** Where the dashboard listens, where `npm start` asks whether it does, and how people know it. */
export function dashboardAt(config: LaunchConfig, lan: boolean): { listen: string; asked: string; shown: string } {
  const listen = config.dashboardListen ?? `127.0.0.1:${config.dashboardPort}`;
  const scheme = lan || config.dashboardTls ? 'https' : 'http';
  const port = listen.slice(listen.lastIndexOf(':') + 1);
  // What listens everywhere is asked on this machine.
  const host = listen.slice(0, -port.length - 1).replace(/^(0\.0\.0\.0|\[::\])$/, '127.0.0.1');
  return { listen, asked: `${scheme}://${host}:${port}`, shown: config.publicUrl ?? `${scheme}://localhost:${port}` };
}
