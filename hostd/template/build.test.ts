import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildTemplate } from './build.ts';
import { takeLock } from './lock.ts';
import { readRecipe } from './recipe.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lb-build-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const lacks = whatLacks();
const builds = lacks === '';

function whatLacks(): string {
  if (process.geteuid?.() !== 0) return '(needs root)';
  if (!existsSync('/usr/bin/mmdebstrap')) return '(needs mmdebstrap)';
  const { bavail, bsize } = statfsSync(tmpdir());
  return bavail * bsize < 6 * 2 ** 30 ? `(needs 6 GiB in ${tmpdir()})` : '';
}

/** Processes that name the home in their arguments. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes(folder));
}
const options = () => ({ home, cacheDir: join(home, 'cache'), suite: 'bookworm' as const });

test.skipIf(!builds)(
  `an interrupted build leaves no template, no half-made folder, no lock and no process ${lacks}`,
  async () => {
    const abort = new AbortController();
    const stages: string[] = [];
    const building = buildTemplate({
      ...options(),
      signal: abort.signal,
      onProgress: ({ stage }) => stages.push(stage),
    });
    await expect.poll(() => processesOf(home).some((command) => command.includes('mmdebstrap'))).toBe(true);
    abort.abort(new Error('interrupted'));
    await expect(building).rejects.toThrow('interrupted');
    expect(stages[0]).toBe('downloading');
    expect(readdirSync(join(home, 'templates'))).toEqual([]);
    expect(processesOf(home)).toEqual([]);
  },
);

test.skipIf(!builds)(`what a killed build left behind is gone after the next one ${lacks}`, async () => {
  const left = join(home, 'templates', '.making-tpl_old', 'tree');
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, 'file'), 'x');
  writeFileSync(join(home, 'templates', '.lock'), JSON.stringify({ pid: 4_000_000 }));
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error('interrupted')), 300);
  await expect(buildTemplate({ ...options(), signal: abort.signal })).rejects.toThrow('interrupted');
  expect(readdirSync(join(home, 'templates'))).toEqual([]);
});

test.skipIf(!builds)(`a second build beside a running one is refused ${lacks}`, async () => {
  mkdirSync(join(home, 'templates'));
  const release = takeLock(join(home, 'templates', '.lock'));
  await expect(buildTemplate(options())).rejects.toMatchObject({ code: 'wrong_state' });
  release();
});

test('a template that is there is not built again', async () => {
  const { templateId } = readRecipe('bookworm');
  const file = { version: 1, id: templateId, name: 'here' };
  place(templateId, { 'template.json': JSON.stringify(file), 'disk.qcow2': 'x', vmlinux: 'x', initrd: 'x' });
  expect(await buildTemplate(options())).toEqual(file);
});

test.each([
  ['without its disk', 'disk.qcow2 is missing', { 'disk.qcow2': undefined }],
  ['with an empty kernel', 'vmlinux is missing or empty', { vmlinux: '' }],
  ['with a damaged description', 'template.json is missing or damaged', { 'template.json': '{' }],
])('a template %s is refused before anything is built, with the way out', async (_how, damage, change) => {
  const { templateId } = readRecipe('bookworm');
  const description = JSON.stringify({ version: 1, id: templateId });
  place(templateId, { 'template.json': description, 'disk.qcow2': 'x', vmlinux: 'x', initrd: 'x', ...change });
  const stages: string[] = [];
  const building = buildTemplate({ ...options(), onProgress: ({ stage }) => stages.push(stage) });
  await expect(building).rejects.toThrow(`${damage}`);
  await expect(buildTemplate(options())).rejects.toThrow(/is broken[^]*remove the folder and run this again/);
  expect(stages).toEqual([]);
  expect(existsSync(join(home, 'templates', templateId))).toBe(true);
});

function place(templateId: string, files: Record<string, string | undefined>): void {
  const folder = join(home, 'templates', templateId);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files))
    if (content !== undefined) writeFileSync(join(folder, name), content);
}
