import { bytesPerPixel } from '../display/framebuffer.ts';

interface Picture {
  width: number;
  height: number;
  pixels: Buffer;
}

/** Points looked at in each direction. */
const points = 40;
/** A panel along one edge is about a twentieth of the screen. */
const paintedShareMin = 0.02;

/** Whether there is more on the screen than one colour and a pointer. */
export function isPainted({ width, height, pixels }: Picture): boolean {
  const counts = new Map<number, number>();
  for (let row = 0; row < points; row += 1) {
    for (let column = 0; column < points; column += 1) {
      const x = Math.floor(((column + 0.5) * width) / points);
      const y = Math.floor(((row + 0.5) * height) / points);
      // Blue, green and red; the fourth byte means nothing.
      const colour = pixels.readUInt32LE((y * width + x) * bytesPerPixel) & 0xff_ff_ff;
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
  }
  const commonest = Math.max(...counts.values());
  return 1 - commonest / points ** 2 >= paintedShareMin;
}
