import { expect, test } from 'vitest';
import { readTemplateMarker, readVmMarker, writeTemplateMarker, writeVmMarker } from './marker.ts';

const marker = {
  owner: 'asg_1',
  home: 'pve1',
  complete: true,
  boot: 3,
  startBefore: 'UPID:pve1:1:',
  startNode: 'pve1',
  stopAsked: 2,
};

test('a marker is read as it was written, also between notes of an operator', () => {
  expect(readVmMarker(writeVmMarker(marker))).toEqual(marker);
  expect(readVmMarker(`mine\n${writeVmMarker(marker)}\nand more`)).toEqual(marker);
});

test.each([
  undefined,
  '',
  ' qmclone temporary file',
  'lebureau-vm: {broken',
  'lebureau-vm: {"owner":1}',
  'lebureau-vm: null',
])('%j holds no marker', (description) => {
  expect(readVmMarker(description)).toBeUndefined();
});

test('a template is known by its id', () => {
  const template = { templateId: `tpl_${'0'.repeat(26)}`, name: 'Debian', diskMiB: 8192, builtAtMs: 7 };
  expect(readTemplateMarker(writeTemplateMarker(template))).toEqual(template);
  expect(readTemplateMarker(writeTemplateMarker({ ...template, templateId: 'tpl_x' }))).toBeUndefined();
});
