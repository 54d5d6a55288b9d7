import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { probeHost } from '../hypervisor/qemu/host.ts';
import { warmTemplate } from './warm.ts';
import { templatePaths, type TemplateFile, type WarmFile } from './files.ts';
import { verifyWarmState } from './verify.ts';

const home = process.env['LEBUREAU_TEST_HOME'];
const templateId = home && existsSync(join(home, 'templates')) ? firstTemplate(join(home, 'templates')) : undefined;
const why =
  process.geteuid?.() !== 0 ? 'needs root' : templateId ? '' : 'LEBUREAU_TEST_HOME names no folder with a template';

function firstTemplate(folder: string): string | undefined {
  return readdirSync(folder).find((name) => name.startsWith('tpl_'));
}

test.skipIf(why !== '')(`a warm clone answers, is identified and shows a desktop ${why}`, async () => {
  const paths = templatePaths(home!, templateId!);
  const template = JSON.parse(readFileSync(paths.file, 'utf8')) as TemplateFile;
  const host = await probeHost({ kernel: { vmlinux: paths.vmlinux, initrd: paths.initrd } });
  const size = { vcpus: 1, memoryMiB: 1024 };
  const key = await warmTemplate({ home: home!, templateId: template.id, size, host });
  const folder = join(paths.warm, key);
  const warm = JSON.parse(readFileSync(join(folder, 'warm.json'), 'utf8')) as WarmFile;
  const before = statSync(join(folder, 'ram')).mtimeMs;
  const run = join(mkdtempSync(join(home!, 'verify-')), 'run');
  try {
    const signal = AbortSignal.timeout(120_000);
    const { commandLine } = warm;
    const verified = await verifyWarmState({ paths, folder, commandLine, size, host, clock: systemClock, signal }, run);
    expect(verified.runningMs).toBeLessThan(verified.firstCommandMs);
    expect(statSync(join(folder, 'ram')).mtimeMs).toBe(before);
    expect(statSync(join(folder, 'ram')).mode & 0o222).toBe(0);
  } finally {
    rmSync(join(run, '..'), { recursive: true, force: true });
  }
});
