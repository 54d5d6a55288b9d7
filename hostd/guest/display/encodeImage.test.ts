import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeImage } from './encodeImage.ts';

function noise(width: number, height: number): Buffer {
  const data = Buffer.alloc(width * height * 4);
  let state = 7;
  for (let at = 0; at < data.length; at++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    data[at] = state >> 16;
  }
  return data;
}

function rgbOf(bgrx: Buffer): number[] {
  const rgb: number[] = [];
  for (let at = 0; at < bgrx.length; at += 4) rgb.push(bgrx[at + 2]!, bgrx[at + 1]!, bgrx[at]!);
  return rgb;
}

/** A PNG of 24 bits without interlace, decoded by the letter of the format. */
function decodePng(png: Uint8Array, width: number, height: number): number[] {
  const bytes = Buffer.from(png);
  const at = bytes.indexOf('IDAT');
  const rows = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
  const out: number[] = [];
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (width * 3 + 1)]!;
    for (let i = 0; i < width * 3; i++) {
      const above = filter === 2 ? out[(y - 1) * width * 3 + i]! : 0;
      out.push((rows[y * (width * 3 + 1) + 1 + i]! + above) & 0xff);
    }
  }
  return out;
}

test('a png holds every pixel exactly', async () => {
  const [width, height] = [37, 11];
  const data = noise(width, height);
  const png = await encodeImage({ width, height, data }, { format: 'png', quality: 75, width, height });
  expect(decodePng(png, width, height)).toEqual(rgbOf(data));
  // A strict decoder takes it, checksums and all.
  expect(await new Bun.Image(png).metadata()).toMatchObject({ width, height, format: 'png' });
  expect((await new Bun.Image(png).resize(5, 5).webp().bytes()).length).toBeGreaterThan(20);
});

for (const format of ['png', 'jpeg', 'webp'] as const) {
  test(`a ${format} is scaled to the size asked for, and keeps its colours apart`, async () => {
    const data = Buffer.alloc(64 * 32 * 4);
    for (let at = 0; at < data.length; at += 4) data.set([10, 60, 200, 0], at);
    const bytes = await encodeImage({ width: 64, height: 32, data }, { format, quality: 90, width: 32, height: 16 });
    expect(await new Bun.Image(bytes).metadata()).toMatchObject({ width: 32, height: 16, format });
    const pixel = rgbaOf(await new Bun.Image(bytes).png({ compressionLevel: 0 }).bytes());
    expect(pixel[0]).toBeGreaterThan(185);
    expect(pixel[1]).toBeLessThan(75);
    expect(pixel[2]).toBeLessThan(25);
  });
}

function rgbaOf(png: Uint8Array): number[] {
  const bytes = Buffer.from(png);
  const at = bytes.indexOf('IDAT');
  const rows = inflateSync(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4)));
  return [...rows.subarray(1, 4)];
}

test('a picture that cannot be made is a failure, never an empty picture', async () => {
  const broken = { width: 10, height: 10, data: Buffer.alloc(7) };
  const wish = { format: 'webp', quality: 75, width: 10, height: 10 } as const;
  await expect(encodeImage(broken, wish)).rejects.toMatchObject({ code: 'capture_failed' });
});
