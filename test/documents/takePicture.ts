import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LeBureau } from '@lebureau/sdk';
import { createReady, startService } from '../system/product.ts';

/**
 * `npm run bun test/documents/takePicture.ts`: the picture of the landing page and of README.md. A real desktop, worked in
 * through the API alone: a script is written and run in its terminal, and what it drew is looked at.
 */

const root = join(import.meta.dirname, '..', '..');

/** Counts primes by a sieve and draws how they thin out. */
const script = String.raw`from math import log

N, STEP = 1_000_000, 100_000
sieve = bytearray([1]) * (N + 1)
sieve[:2] = b"\0\0"
for i in range(2, int(N**0.5) + 1):
    if sieve[i]:
        sieve[i * i :: i] = bytes(len(range(i * i, N + 1, i)))
counts = [sum(sieve[a : a + STEP]) for a in range(0, N, STEP)]
for at, count in enumerate(counts):
    print(f"{at * STEP:>9,}  {count:>5}  {'#' * (count // 400)}")
print(f"{sum(counts):,} primes; N / ln N = {N / log(N):,.0f}")

bars = "".join(
    f'<rect x="{40 + i * 54}" y="{430 - c / 32:.0f}" width="42" height="{c / 32:.0f}" rx="5" fill="#2f6f9f"/>'
    f'<text x="{61 + i * 54}" y="{420 - c / 32:.0f}">{c}</text><text x="{61 + i * 54}" y="452">{i * STEP // 1000}k</text>'
    for i, c in enumerate(counts))
open("primes.svg", "w").write(f"""<svg xmlns="http://www.w3.org/2000/svg" width="610" height="490"
 font-family="DejaVu Sans" font-size="12" fill="#4a5a6a" text-anchor="middle"><rect width="610" height="490" fill="#fff"/>
<text x="305" y="50" font-size="24" fill="#1c2b3a">Primes below one million</text>
<text x="305" y="80" font-size="15">{sum(counts):,} in all, thinning out by every hundred thousand</text>{bars}</svg>""")
`;

const service = await startService({ programs: ['api', 'hostd'] });
try {
  const { id } = await createReady(service, { name: 'demo' });
  const desktop = new LeBureau({ baseUrl: service.baseUrl, apiKey: service.apiKey }).desktop(id);
  await desktop.files.write('/home/agent/primes.py', script);
  const terminal = 'xfce4-terminal --hide-menubar --geometry=62x27+18+24';
  await desktop.bash(`DISPLAY=:0 nohup ${terminal} >/dev/null 2>&1 &`);
  await desktop.computer.waitUntil({ until: 'window', text: 'agent@', timeoutMs: 38_000 });
  await type(desktop, 'python3 primes.py');
  // No thumbnails, and no word about their missing.
  for (const property of ['/window/thumbnails/show', '/errors/missing-thumbnailer'])
    await desktop.bash(`DISPLAY=:0 xfconf-query -c ristretto -p ${property} -n -t bool -s false`);
  await type(desktop, 'ristretto primes.svg 2>&- &');
  await desktop.computer.waitUntil({ until: 'window', text: 'primes.svg', timeoutMs: 38_000 });
  await desktop.bash(
    `export DISPLAY=:0; wmctrl -r primes.svg -b remove,maximized_vert,maximized_horz; wmctrl -r primes.svg -e 0,600,60,650,640`,
  );
  await desktop.computer.move({ x: 905, y: 330 });
  await desktop.computer.waitUntil({ until: 'stable', quietMs: 2000, timeoutMs: 38_000 });
  const places = { webp: 'dashboard/web/public/desktop.webp', png: 'docs/desktop.png' } as const;
  for (const format of ['webp', 'png'] as const)
    writeFileSync(join(root, places[format]), (await desktop.computer.screenshot({ format })).bytes);
} finally {
  await service.close();
}

async function type(desktop: ReturnType<LeBureau['desktop']>, text: string): Promise<void> {
  await desktop.computer.type({ text, pressEnter: true });
  await desktop.computer.waitUntil({ until: 'stable', quietMs: 1500, timeoutMs: 38_000 });
}
