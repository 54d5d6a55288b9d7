import { statSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runDemo } from './demo.ts';
import { type Service, startService, vmSkipReason } from './system/product.ts';

const skip = vmSkipReason();

describe.skipIf(skip !== undefined)(`the demo ${skip ?? ''}`, () => {
  let service: Service;
  const outFolder = mkdtempSync(join(tmpdir(), 'lebureau-demo-test-'));
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(async () => {
    await service?.close();
    rmSync(outFolder, { recursive: true });
  });

  test('an assistant creates, sees, drives, fills and deletes a desktop by MCP', async () => {
    const { baseUrl, apiKey } = service;
    const report = await runDemo({ baseUrl, apiKey, outFolder });
    expect(report.startMode).toBe('warm');
    expect(report.steps).toHaveLength(9);
    expect(report.pictures.map((path) => statSync(path).size > 5000)).toEqual([true, true, true]);
  });
});
