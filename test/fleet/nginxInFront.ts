import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * nginx as a proxy of WebSockets in front of a server on a Unix socket, which is what it can do of what the API does: the same
 * two hops as with the API, without its rights, tickets and limits.
 * @returns undefined where there is no nginx
 */
export function nginxInFront(server: string): { socket: string; close: () => void } | undefined {
  if (spawnSync('nginx', ['-v']).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'lb-nginx-'));
  const socket = join(folder, 'nginx.sock');
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, { socket, server }));
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  for (let tries = 0; tries < 100 && !existsSync(socket); tries++) Bun.sleepSync(20);
  return {
    socket,
    close() {
      child.kill('SIGTERM');
      child.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    },
  };
}

function configuration(folder: string, { socket, server }: { socket: string; server: string }): string {
  return `
daemon off;
user root;
worker_processes 1;
error_log ${folder}/error.log;
pid ${folder}/pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen unix:${socket};
    location / {
      proxy_pass http://unix:${server};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection Upgrade;
      proxy_set_header Host node;
      proxy_buffer_size 64k;
      proxy_buffers 8 64k;
      proxy_read_timeout 1h;
    }
  }
}
`;
}
