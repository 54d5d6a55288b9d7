import { expect, test } from 'vitest';
import { bootCommandLine } from './bootCommandLine.ts';
import { readRecipe } from './recipe.ts';

const { kernelArgs } = readRecipe('bookworm');

test('finds the root by its label and leaves the network to the guest', () => {
  const words = bootCommandLine(kernelArgs, 'kvm').split(' ');
  expect(words.filter((word) => word.startsWith('root='))).toEqual(['root=LABEL=lebureau']);
  expect(words).not.toContain('lebureau.network=fixed');
  expect(words.filter((word) => word.startsWith('ip='))).toEqual([]);
  expect(words).toContain('rootfstype=ext4');
  expect(words).not.toContain('mitigations=off');
});

test('is that of an emulated guest on a node without hardware virtualisation', () => {
  expect(bootCommandLine(kernelArgs, 'tcg').split(' ')).toContain('mitigations=off');
});
