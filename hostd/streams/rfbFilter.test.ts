import { expect, test } from 'vitest';
import { RfbFilter } from './rfbFilter.ts';

const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const key = (keysym: number, down: boolean) => Buffer.from([4, down ? 1 : 0, 0, 0, 0, 0, keysym >> 8, keysym & 255]);
const scanKey = (code: number, down: boolean) => Buffer.from([255, 0, 0, down ? 1 : 0, 0, 0, 0, 97, 0, 0, 0, code]);
const pointer = (buttons: number, x: number, y: number) => Buffer.concat([Buffer.from([5, buttons]), u16(x), u16(y)]);
const cutText = (text: string) => {
  const head = Buffer.alloc(8);
  head[0] = 6;
  head.writeInt32BE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
};
const extendedCutText = (body: Buffer) => {
  const head = Buffer.alloc(8);
  head[0] = 6;
  head.writeInt32BE(-body.length, 4);
  return Buffer.concat([head, body]);
};
const encodings = Buffer.concat([Buffer.from([2, 0]), u16(2), Buffer.from([0, 0, 0, 7, 255, 255, 255, 33])]);
const looks = [
  Buffer.concat([Buffer.from([0]), Buffer.alloc(19, 4)]),
  encodings,
  Buffer.from([3, 1, 0, 0, 0, 0, 5, 0, 3, 32]),
  Buffer.from([150, 1, 0, 0, 0, 0, 5, 0, 3, 32]),
  Buffer.from([248, 0, 0, 0, 0, 0, 0, 0, 4, 5, 5, 5, 5]),
];
const writes = [
  key(97, true),
  key(97, false),
  pointer(1, 500, 600),
  pointer(0, 500, 600),
  cutText('\u0004\u0005 looks like keys \u0004'),
  extendedCutText(Buffer.alloc(70_000, 5)),
  scanKey(30, true),
  scanKey(30, false),
];
const nevers = [
  Buffer.from([250, 0, 1, 2]),
  Buffer.concat([Buffer.from([251, 0]), u16(800), u16(600), Buffer.from([1, 0]), Buffer.alloc(16)]),
  Buffer.from([255, 1, 0, 0]),
  Buffer.from([255, 1, 0, 2, 0, 0, 0, 0, 0, 0]),
];
/** All of it, mixed. */
const session = [...looks, ...writes, ...nevers, ...writes, ...looks];

function filter(mayWrite: () => boolean) {
  const passed: Buffer[] = [];
  const it = new RfbFilter({ pass: (bytes) => passed.push(Buffer.from(bytes)), mayWrite });
  return { it, passed: () => Buffer.concat(passed) };
}

test.each([1, 2, 3, 5, 7, 11, 19, 20, 21, 100, 1_000_000])('in pieces of %s bytes a viewer only looks', (size) => {
  const bytes = Buffer.concat(session);
  const { it, passed } = filter(() => false);
  for (let at = 0; at < bytes.length; at += size) it.take(bytes.subarray(at, at + size));
  expect(passed().equals(Buffer.concat([...looks, ...looks]))).toBe(true);
});

test.each([1, 2, 3, 5, 7, 11, 19, 20, 21, 100, 1_000_000])('and whoever has control writes', (size) => {
  const bytes = Buffer.concat(session);
  const { it, passed } = filter(() => true);
  for (let at = 0; at < bytes.length; at += size) it.take(bytes.subarray(at, at + size));
  expect(passed().equals(Buffer.concat([...looks, ...writes, ...writes, ...looks]))).toBe(true);
});

test('a message whose beginning passed passes whole, and the next is asked for anew', () => {
  let may = true;
  const { it, passed } = filter(() => may);
  const long = cutText('x'.repeat(100));
  it.take(long.subarray(0, 50));
  may = false;
  it.take(Buffer.concat([long.subarray(50), key(98, true), looks[2]!]));
  expect(passed().equals(Buffer.concat([long, looks[2]!]))).toBe(true);
});

test('a message whose beginning was dropped is dropped whole', () => {
  let may = false;
  const { it, passed } = filter(() => may);
  const long = cutText(key(98, true).toString('latin1').repeat(10));
  it.take(long.subarray(0, 30));
  may = true;
  it.take(long.subarray(30));
  expect(passed().length).toBe(0);
});

test('what is held down is let go of once control is lost', () => {
  const { it, passed } = filter(() => true);
  for (const each of [key(97, true), key(98, true), key(98, false), scanKey(42, true), pointer(5, 10, 20)])
    it.take(each);
  const before = passed().length;
  it.release();
  const released = passed().subarray(before);
  expect(released.equals(Buffer.concat([key(97, false), scanKey(42, false), pointer(0, 10, 20)]))).toBe(true);
  it.release();
  expect(passed().length).toBe(before + released.length);
});

test.each([
  ['an unknown message', Buffer.from([77])],
  ['too many encodings', Buffer.from([2, 0, 255, 255])],
  ['a giant clipboard', Buffer.from([6, 0, 0, 0, 0x7f, 255, 255, 255])],
  ['a giant clipboard, extended', Buffer.from([6, 0, 0, 0, 0x80, 0, 0, 0])],
  ['a long fence', Buffer.from([248, 0, 0, 0, 0, 0, 0, 0, 200])],
  ['many screens', Buffer.from([251, 0, 0, 0, 0, 0, 200, 0])],
  ['an unknown word of QEMU', Buffer.from([255, 9])],
])('%s ends it', (_about, bytes) => {
  expect(() => filter(() => true).it.take(bytes)).toThrow(/unknown|at most/);
});

test('noise is refused or dropped, and never written', () => {
  let seed = 7;
  const noise = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) & 255;
  for (let run = 0; run < 300; run++) {
    const { it, passed } = filter(() => false);
    try {
      for (let piece = 0; piece < 20; piece++) it.take(Buffer.from(Array.from({ length: 1 + (noise() % 40) }, noise)));
    } catch {
      // It ends there.
    }
    const out = passed();
    // Whatever passed begins with a message that only looks.
    if (out.length > 0) expect([0, 2, 3, 150, 248]).toContain(out[0]);
  }
});

test('where somebody else moved the pointer meanwhile, the same place is said anew', () => {
  const { it, passed } = filter(() => true);
  it.take(pointer(0, 500, 600));
  it.pointerIsElsewhere();
  it.take(Buffer.concat([pointer(0, 500, 600), pointer(1, 500, 600), pointer(0, 500, 600)]));
  const beside = pointer(0, 499, 600);
  expect(passed().toString('hex')).toBe(
    Buffer.concat([
      pointer(0, 500, 600),
      ...[beside, pointer(0, 500, 600)],
      ...[beside, pointer(1, 500, 600)],
      pointer(0, 500, 600),
    ]).toString('hex'),
  );
  // At the left edge on its other side; a new place is enough.
  it.pointerIsElsewhere();
  it.take(Buffer.concat([pointer(0, 0, 1), pointer(0, 0, 1)]));
  expect(passed().subarray(-18).toString('hex')).toBe(
    Buffer.concat([pointer(0, 1, 1), pointer(0, 0, 1), pointer(0, 0, 1)]).toString('hex'),
  );
});
