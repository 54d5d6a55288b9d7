import { expect, test } from 'vitest';
import { keyTable } from './keyTable.ts';
import { keysymOfCharacter, parseChord, parseKey } from './keys.ts';

const names = (...chord: string[]) => parseChord(chord).map(({ name }) => name);

test('no two keys share a name', () => {
  const seen = new Map<string, string>();
  for (const row of keyTable) {
    for (const name of [row.name, ...row.aliases]) {
      const plain = name.length === 1 ? name : name.toLowerCase().replace(/[\s_-]/g, '');
      expect([plain, seen.get(plain) ?? row.name]).toEqual([plain, row.name]);
      seen.set(plain, row.name);
    }
  }
});

test.each([
  ['Return', 0xff0d],
  ['ENTER', 0xff0d],
  ['enter', 0xff0d],
  ['\n', 0xff0d],
  ['KP_Enter', 0xff8d],
  ['ESC', 0xff1b],
  ['Escape', 0xff1b],
  ['CMD', 0xffeb],
  ['WIN', 0xffeb],
  ['super', 0xffeb],
  ['Meta', 0xffeb],
  ['ArrowUp', 0xff52],
  ['Up', 0xff52],
  ['PAGEDOWN', 0xff56],
  ['Page_Down', 0xff56],
  ['Next', 0xff56],
  ['pgdn', 0xff56],
  ['BackSpace', 0xff08],
  ['backspace', 0xff08],
  ['DEL', 0xffff],
  ['space', 0x20],
  [' ', 0x20],
  ['SPACE', 0x20],
  ['F1', 0xffbe],
  ['f12', 0xffc9],
  ['a', 0x61],
  ['A', 0x41],
  ['KeyA', 0x61],
  ['Digit1', 0x31],
  ['1', 0x31],
  ['+', 0x2b],
  ['-', 0x2d],
  ['plus', 0x2b],
  ['é', 0xe9],
  ['€', 0x0100_20ac],
  ['日', 0x0100_65e5],
  ['😀', 0x0101_f600],
  ['ControlLeft', 0xffe3],
  ['option', 0xffe9],
  ['AltGr', 0xfe03],
  ['shift', 0xffe1],
  ['Numpad5', 0xffb5],
])('%s is a key', (name, keysym) => {
  expect(parseKey(name).keysym).toBe(keysym);
});

test('chords are told in every usual way', () => {
  expect(names('ctrl+a')).toEqual(['Control_L', 'a']);
  expect(names('ctrl', 'a')).toEqual(['Control_L', 'a']);
  expect(names('CTRL-SHIFT-T')).toEqual(['Control_L', 'Shift_L', 'T']);
  expect(names('ctrl++')).toEqual(['Control_L', '+']);
  expect(names('ctrl + alt + Delete')).toEqual(['Control_L', 'Alt_L', 'Delete']);
  expect(names('+')).toEqual(['+']);
  expect(names('Page-Up')).toEqual(['Page_Up']);
});

test.each([
  ['Retrun', 'Return'],
  ['Entr', 'Return'],
  ['Contrl', 'Control_L'],
  ['pagedwn', 'Page_Down'],
  ['Arow_Left', 'Left'],
  ['Esca', 'Escape'],
  ['F25', 'F2'],
])('%s is unknown, and %s near it', (wrong, near) => {
  expect(() => parseKey(wrong)).toThrow(
    expect.objectContaining({
      code: 'unknown_key',
      extra: { members: { key: wrong, nearMatches: expect.arrayContaining([near]) } },
    }),
  );
});

test('rubbish is refused, and quickly, however long', () => {
  for (const wrong of ['', '++', 'ctrl+', '+a', 'a+b+', 'x'.repeat(100_000), 'foo+bar']) {
    expect(() => parseChord([wrong])).toThrow(expect.objectContaining({ code: 'unknown_key' }));
  }
});

test('characters are Latin-1 keysyms or code points', () => {
  expect(['~', '\u00a0', 'ÿ', 'Ā', '\n', '\t'].map(keysymOfCharacter)).toEqual([
    0x7e, 0xa0, 0xff, 0x0100_0100, 0xff0d, 0xff09,
  ]);
});
