import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { call, startService } from '../system/product.ts';
import { Caller } from './caller.ts';
import { type Figure, figure, quantile, summary, timeEach } from './figure.ts';

const rows = 10_000;

/** `GET /v1/desktops?limit=20` with 10,000 rows, beside the same Elysia answering a constant of equal bytes, from one client in one run. */
export async function listFigures(): Promise<Figure[]> {
  const unlimited = {
    LEBUREAU_RATE_LIMITS: 'off',
    LEBUREAU_QUOTA_DESKTOPS: '20000',
    LEBUREAU_QUOTA_VCPUS: '1000000',
    LEBUREAU_QUOTA_MEMORY_MIB: '100000000',
    LEBUREAU_QUOTA_DISK_GIB: '1000000',
    LEBUREAU_LOG_LEVEL: 'warn',
  };
  const service = await startService({ programs: ['api'], environment: unlimited });
  const socket = join(service.home, 'run', 'api-node.sock');
  await sayHello(socket);
  const hellos = setInterval(() => void sayHello(socket), 5000);
  try {
    const create = async (at: number) => {
      const made = await call(service, 'POST', { path: '/v1/desktops', body: { name: `row ${at}`, size: 'nano' } });
      if (made.status !== 201) throw new Error(`create ${at}: ${JSON.stringify(made.body)}`);
    };
    for (let at = 0; at < rows; at += 20) await Promise.all(Array.from({ length: 20 }, (_, more) => create(at + more)));
    const headers = { Authorization: `Bearer ${service.apiKey}` };
    const url = `${service.baseUrl}/v1/desktops?limit=20`;
    const answer = await (await fetch(url, { headers })).text();
    await using constant = await serveConstant(answer);
    const ours = await rate(url, headers);
    const theirs = await rate(constant.url, headers);
    const [oursAgain, theirsAgain] = [await rate(url, headers), await rate(constant.url, headers)];
    const share = (ours.perSecond + oursAgain.perSecond) / (theirs.perSecond + theirsAgain.perSecond);
    const times = [...ours.times, ...oursAgain.times];
    const detail = {
      bytes: answer.length,
      ours: summary(times),
      constant: summary([...theirs.times, ...theirsAgain.times]),
      oursPerSecond: Math.round(ours.perSecond),
      constantPerSecond: Math.round(theirs.perSecond),
    };
    return [
      figure('list of 20 out of 10,000 desktops / Elysia answering a constant of equal bytes', 'ratio', {
        value: share,
        at: '>=',
        reach: 0.5,
        detail,
      }),
      figure('the same list, p99 / p50', 'ratio', {
        value: quantile(times, 0.99) / quantile(times, 0.5),
        at: '<=',
        reach: 3,
      }),
    ];
  } finally {
    clearInterval(hellos);
    await service.stop('api');
    service.apiKey = '';
    await service.close();
  }
}

async function sayHello(socket: string): Promise<void> {
  const body = {
    nodeName: 'bench',
    version: '0.1.0',
    guestAddress: `unix:${socket}.none`,
    driver: 'fake',
    accelerator: 'none',
    acceleratorReason: 'bench',
    hypervisorVersion: 'none',
    vcpus: 100_000,
    memoryMiB: 100_000_000,
    diskFreeMiB: 2_000_000_000,
    network: 'none',
    networkReason: 'bench',
    templates: [{ id: 'tpl_01k9x3v6m8e9t2q4r6s8v0w2y4', name: 'bench', warmSizes: [], diskMiB: 1, builtAtMs: 1 }],
  };
  await fetch('http://node.local/node/v1/hello', {
    unix: socket,
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** Four callers at once, each over its own connection. */
async function rate(url: string, headers: Record<string, string>): Promise<{ perSecond: number; times: number[] }> {
  const callers = await Promise.all(Array.from({ length: 4 }, () => Caller.open(url, headers)));
  try {
    await Promise.all(callers.map((caller) => timeEach(500, () => caller.ask())));
    const beganMs = performance.now();
    const times = (await Promise.all(callers.map((caller) => timeEach(2500, () => caller.ask())))).flat();
    return { perSecond: times.length / ((performance.now() - beganMs) / 1000), times };
  } finally {
    for (const caller of callers) caller.close();
  }
}

async function serveConstant(answer: string): Promise<{ url: string } & AsyncDisposable> {
  const script = `
    const { Elysia } = await import(${JSON.stringify(join(import.meta.dirname, '..', '..', 'api', 'node_modules', 'elysia'))});
    const answer = await new Response(Bun.stdin.stream()).text();
    const app = new Elysia().get('/', () => new Response(answer, { headers: { 'Content-Type': 'application/json' } })).listen({ hostname: '127.0.0.1', port: 0 });
    console.log(app.server.port);
  `;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(answer);
  const port = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim())),
  );
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await Promise.resolve();
    },
  };
}
