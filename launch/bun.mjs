// Plain JavaScript for whatever Node stands here: fetches the pinned Bun and the dependencies, then everything runs on Bun.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '1.4.5';
/** The binary packages of that version, each with the hash its registry entry must have. */
const builds = {
  'linux-x64': 'sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==',
  'linux-x64-baseline':
    'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
};

export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lebureau');

/** What a person shall read, and no stack. */
class Sentence extends Error {}

/** Ends the program with one sentence for a person. */
export function giveUp(sentence) {
  console.error(`\n${sentence}\n`);
  process.exit(1);
}

/** @returns the path of the pinned Bun, fetched on first use. */
export function ensureBun() {
  const build = buildOfThisMachine();
  const home = join(cache, `bun-${version}-${build}`);
  const bun = join(home, 'node_modules', '@oven', `bun-${build}`, 'bin', 'bun');
  if (existsSync(bun)) return bun;
  console.log(`Fetching Bun ${version} …`);
  mkdirSync(cache, { recursive: true });
  let sentence;
  const draft = mkdtempSync(join(cache, 'bun-draft-'));
  try {
    writeFileSync(join(draft, 'package.json'), '{"private":true}');
    const args = [
      'install',
      '--prefix',
      draft,
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      `@oven/bun-${build}@${version}`,
    ];
    const run = spawnSync('npm', args, { cwd: draft, stdio: ['ignore', 'inherit', 'inherit'] });
    if (run.status !== 0)
      throw new Sentence(
        'Bun could not be fetched with npm (see above). Check the network and the npm registry, then run it again.',
      );
    const lock = JSON.parse(readFileSync(join(draft, 'node_modules', '.package-lock.json'), 'utf8'));
    const seen = lock.packages[`node_modules/@oven/bun-${build}`]?.integrity;
    if (seen !== builds[build])
      throw new Sentence(`The Bun that npm delivered is not the one this project pins (${seen}). Nothing was run.`);
    rmSync(home, { recursive: true, force: true });
    renameSync(draft, home);
  } catch (error) {
    // Ending the program here would leave the draft behind.
    if (!(error instanceof Sentence)) throw error;
    sentence = error.message;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  if (sentence !== undefined) giveUp(sentence);
  return bun;
}

/** Installs the dependencies unless this lock file's are there already. */
export function ensureDependencies(bun) {
  const lock = createHash('sha256')
    .update(readFileSync(join(projectRoot, 'bun.lock')))
    .update(version)
    .digest('hex');
  const marker = join(projectRoot, 'node_modules', '.installed-lock');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === lock) return;
  console.log('Installing dependencies …');
  const run = spawnSync(bun, ['install', '--frozen-lockfile'], {
    cwd: projectRoot,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (run.status !== 0)
    giveUp(
      'The dependencies could not be installed (see above). Check the network and free disk space, then run it again.',
    );
  writeFileSync(marker, lock);
}

function buildOfThisMachine() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    giveUp(
      `Le Bureau runs on 64-bit x86 Linux; this is ${process.platform} ${process.arch}. Run it on a Linux machine and open it from here.`,
    );
  }
  if (Number(process.versions.node.split('.')[0]) < 20)
    giveUp(`Node 20 or newer is needed; this is ${process.version}.`);
  const flags = readFileSync('/proc/cpuinfo', 'utf8');
  return flags.includes(' avx2') ? 'linux-x64' : 'linux-x64-baseline';
}

/** Runs a script on Bun with this terminal, and ends as it ends. Signals go to the script, which ends in its own time. */
export async function runOnBun(script, args) {
  const bun = ensureBun();
  ensureDependencies(bun);
  const { spawn } = await import('node:child_process');
  const path = `${dirname(bun)}:${process.env.PATH ?? ''}`;
  const child = spawn(bun, [join(projectRoot, script), ...args], {
    cwd: projectRoot,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // A terminal sends SIGINT to the whole group itself; the others must be passed on.
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  }
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}
