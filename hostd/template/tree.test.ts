import { expect, test } from 'vitest';
import { watchApt } from './tree.ts';

function told(lines: readonly string[]): unknown[] {
  const events: unknown[] = [];
  const watch = watchApt({
    enter: (stage) => events.push(stage),
    tell: (within, sizes) => events.push([Math.round(within * 100), sizes?.doneMiB, sizes?.totalMiB]),
  });
  for (const line of lines) watch(line);
  return events;
}

const essential = [
  '0 upgraded, 69 newly installed, 0 to remove and 0 not upgraded.',
  'Need to get 10.0 MB of archives.',
];
const others = [
  '0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.',
  'Need to get 100 MB/120 MB of archives.',
];

test('package lists do not count, packages do, and only the second round installs', () => {
  expect(
    told([
      'Get:1 http://mirror/debian bookworm InRelease [151 kB]',
      ...essential,
      'Get:1 http://mirror/debian bookworm/main amd64 tar amd64 1.34 [10.0 MB]',
      'Unpacking tar (1.34) ...',
      ...others,
      'Get:1 http://mirror/debian bookworm/main amd64 xorg amd64 1 [1,000 kB]',
      'Unpacking xorg (1) ...',
      'Setting up xorg (1) ...',
    ]),
  ).toEqual([[100, 10, 10], [10, 10, 105], 'installing', [25, undefined, undefined], [50, undefined, undefined]]);
});

test('with everything in the cache nothing is downloaded', () => {
  expect(told([...essential.slice(0, 1), 'Need to get 0 B/10.0 MB of archives.'])).toEqual([]);
});
