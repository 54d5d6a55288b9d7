import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .trim()
  .split('\n');

test('the root holds these and nothing else', () => {
  const top = [...new Set(tracked.map((path) => path.split('/')[0]!))].toSorted();
  expect(top).toEqual(
    [
      '.ci',
      '.editorconfig',
      '.gitignore',
      '.oxfmtrc.json',
      '.oxlintrc.json',
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'api',
      'bun.lock',
      'bunfig.toml',
      'dashboard',
      'docs',
      'hostd',
      'kit',
      'knip.json',
      'launch',
      'mcp',
      'openapi',
      'package.json',
      'sdk-ts',
      'test',
      'tsconfig.json',
      'vitest.config.ts',
    ].toSorted(),
  );
});

test('every package says its licence and carries it', () => {
  const expected: Record<string, string> = {
    api: 'AGPL',
    dashboard: 'AGPL',
    hostd: 'AGPL',
    launch: 'AGPL',
    test: 'AGPL',
    kit: 'Apache',
    mcp: 'Apache',
    openapi: 'Apache',
    'sdk-ts': 'Apache',
  };
  for (const [folder, licence] of Object.entries(expected)) {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as { license: string };
    expect(manifest.license, folder).toContain(licence);
  }
  for (const folder of Object.keys(expected)) expect(tracked).toContain(`${folder}/LICENSE`);
});

test('no folder or file is called by a word that says nothing', () => {
  const empty = /(^|\/)(utils?|helpers?|common|misc|manager|service)(\/|\.[a-z.]+$)/;
  expect(tracked.filter((path) => !path.includes('/rootfs/') && empty.test(path))).toEqual([]);
});

test('lock files carry no address, and the tree no unfinished marks', () => {
  for (const path of tracked.filter((each) => each.endsWith('bun.lock'))) {
    expect(readFileSync(join(root, path), 'utf8')).not.toMatch(/https?:\/\//);
  }
  const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`);
  const sources = tracked.filter((path) => /\.(ts|mjs|c|h|sh|py)$/.test(path) && !path.includes('generated/'));
  expect(sources.filter((path) => marks.test(readIfThere(path)))).toEqual([]);
});

test('every file that a document names is there', () => {
  const documents = tracked.filter((path) => path.endsWith('.md') && !path.includes('/snapshots/'));
  const missing = documents.flatMap((path) =>
    [
      ...readIfThere(path).matchAll(
        /`((?:api|hostd|kit|launch|mcp|openapi|sdk-ts|test|docs)\/[\w./-]+\.(?:ts|md|json))`/g,
      ),
    ]
      .map((match) => match[1]!)
      .filter((named) => !tracked.includes(named))
      .map((named) => `${path}: ${named}`),
  );
  expect(missing).toEqual([]);
});

test('no file in the tree is larger than 1 MB', () => {
  expect(tracked.filter((path) => readIfThere(path).length > 1_000_000)).toEqual([]);
});

/** What each package may import of the others; the table of ARCHITECTURE.md. Tests of a package may use more. */
const mayImport: Record<string, string[]> = {
  api: ['kit', 'openapi', 'test'],
  dashboard: ['kit', 'sdk-ts'],
  hostd: ['kit', 'openapi', 'test'],
  kit: [],
  launch: ['kit'],
  mcp: ['kit', 'sdk-ts', 'test'],
  'sdk-ts': [],
  test: ['openapi', 'sdk-ts'],
};
const packages = ['api', 'dashboard', 'hostd', 'kit', 'launch', 'mcp', 'openapi', 'sdk-ts', 'test'];
const nameOf = (folder: string) => `@lebureau/${folder === 'sdk-ts' ? 'sdk' : folder}`;

/** Each way to write a forbidden import of each package, as a file that the linter must refuse. */
const forbidden = Object.entries(mayImport).flatMap(([from, allowed]) =>
  packages
    .filter((to) => to !== from && !allowed.includes(to))
    .flatMap((to) =>
      [`${nameOf(to)}/planted`, `${nameOf(to)}/deep/planted`, `../../${to}/planted.ts`].map((target, at) => ({
        path: `${from}/planted/${to}${at}.ts`,
        source: `import { it } from '${target}';\nexport const planted = it;\n`,
      })),
    ),
);
const allowed = Object.entries(mayImport).flatMap(([from, tos]) =>
  tos.map((to) => ({
    path: `${from}/allowed/${to}.ts`,
    source: `import { it } from '${nameOf(to)}/planted';\nexport const planted = it;\n`,
  })),
);
const habits = [
  { path: 'api/habits/clock.ts', source: 'export const planted = Date.now();\n' },
  { path: 'api/habits/environment.ts', source: "export const planted = process.env['HOME'];\n" },
  { path: 'sdk-ts/client/environment.ts', source: "export const planted = process.env['HOME'];\n" },
  { path: 'api/habits/default.ts', source: 'export default 1;\n' },
];

describe('the linter keeps the packages apart', () => {
  const plot = mkdtempSync(join(tmpdir(), 'lebureau-lint-'));
  afterAll(() => rmSync(plot, { recursive: true, force: true }));
  const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as Record<string, unknown>;
  delete config['$schema'];
  writeFileSync(join(plot, '.oxlintrc.json'), JSON.stringify({ ...config, options: {} }));
  symlinkSync(join(root, 'node_modules'), join(plot, 'node_modules'));
  for (const { path, source } of [...forbidden, ...allowed, ...habits]) {
    mkdirSync(dirname(join(plot, path)), { recursive: true });
    writeFileSync(join(plot, path), source);
  }
  const run = spawnSync(
    process.execPath,
    ['--bun', join(root, 'node_modules/.bin/oxlint'), '--format=json', ...Object.keys(mayImport)],
    {
      cwd: plot,
      encoding: 'utf8',
    },
  );
  const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { filename: string }[] };
  const refused = new Set(diagnostics.map(({ filename }) => filename));

  test('what the table of packages forbids is refused, however it is written', () => {
    expect(forbidden.length).toBeGreaterThan(80);
    expect(forbidden.map(({ path }) => path).filter((path) => !refused.has(path))).toEqual([]);
  });

  test('what it allows is not', () => {
    expect(allowed.map(({ path }) => path).filter((path) => refused.has(path))).toEqual([]);
  });

  test.each(habits)('$path', ({ path }) => {
    expect(refused).toContain(path);
  });
});

function readIfThere(path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return '';
  }
}
