import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Asset {
  bytes: Uint8Array<ArrayBuffer>;
  /** Compressed, where that is smaller. */
  gzip(): Uint8Array<ArrayBuffer> | undefined;
  type: string;
  etag: string;
  /** Its name holds its hash, so it never changes. */
  immutable: boolean;
}

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webmanifest: 'application/manifest+json',
  webp: 'image/webp',
  woff2: 'font/woff2',
};

/** Every file of a folder by its path below it, read once: what is served cannot be changed by a path. */
export function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const type = types[entry.name.slice(entry.name.lastIndexOf('.') + 1)];
    if (type !== undefined) assets.set(path.slice(folder.length + 1), read(path, type));
  }
  return assets;
}

function read(path: string, type: string): Asset {
  const bytes = new Uint8Array(readFileSync(path));
  return {
    bytes,
    gzip: /^image\/(png|webp)|^font/.test(type) ? () => undefined : zippedOnce(bytes),
    type,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    immutable: /-[\w-]{8,}\.\w+$/.test(path) && path.includes('/assets/'),
  };
}

/** When it is asked for: the viewer of the reference alone takes a fifth of a second, which no start shall wait for. */
function zippedOnce(bytes: Uint8Array<ArrayBuffer>): Asset['gzip'] {
  let zipped: Uint8Array<ArrayBuffer> | undefined;
  return () => {
    zipped ??= new Uint8Array(Bun.gzipSync(bytes, { level: 9 }));
    return zipped.length < bytes.length ? zipped : undefined;
  };
}

export function assetResponse(asset: Asset, request: Request): Response {
  const headers = new Headers({
    'Content-Type': asset.type,
    ETag: asset.etag,
    Vary: 'Accept-Encoding',
    'Cache-Control': asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
  });
  if (request.headers.get('if-none-match') === asset.etag) return new Response(null, { status: 304, headers });
  const zipped = /\bgzip\b/.test(request.headers.get('accept-encoding') ?? '') ? asset.gzip() : undefined;
  if (zipped !== undefined) headers.set('Content-Encoding', 'gzip');
  return new Response(request.method === 'HEAD' ? null : (zipped ?? asset.bytes), { headers });
}
