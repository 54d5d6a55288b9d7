import { Fault } from '@lebureau/kit/fault';
import { type Pixels, encodePng } from './encodePng.ts';
import { bytesPerPixel } from './framebuffer.ts';

export type ImageFormat = 'png' | 'jpeg' | 'webp';

export interface EncodeWish {
  format: ImageFormat;
  /** 1 to 100, of jpeg and webp. */
  quality: number;
  /** Size of the picture made; other than the source's, it is scaled. */
  width: number;
  height: number;
}

const bitmapHeaderBytes = 54;

/** Encodes off the main thread. @throws Fault `capture_failed`. */
export async function encodeImage(pixels: Pixels, wish: EncodeWish): Promise<Uint8Array> {
  try {
    const scaled = wish.width !== pixels.width || wish.height !== pixels.height;
    if (wish.format === 'png' && !scaled) return await encodePng(pixels);
    let image = new Bun.Image(bitmapOf(pixels));
    if (scaled) image = image.resize(wish.width, wish.height);
    return await inFormat(image, wish).bytes();
  } catch (error) {
    throw new Fault('capture_failed', 'The picture could not be encoded.', { cause: error });
  }
}

function inFormat(image: Bun.Image, { format, quality }: EncodeWish): Bun.Image {
  switch (format) {
    case 'png':
      return image.png();
    case 'jpeg':
      return image.jpeg({ quality });
    case 'webp':
      return image.webp({ quality });
  }
}

/** A BMP: the one container that takes the framebuffer's own pixels as they are. */
function bitmapOf({ width, height, data }: Pixels): Buffer {
  const bitmap = Buffer.allocUnsafe(bitmapHeaderBytes + data.length).fill(0, 0, bitmapHeaderBytes);
  bitmap.write('BM', 0, 'latin1');
  bitmap.writeUInt32LE(bitmap.length, 2);
  bitmap.writeUInt32LE(bitmapHeaderBytes, 10);
  bitmap.writeUInt32LE(40, 14);
  bitmap.writeInt32LE(width, 18);
  const topDown = -height;
  bitmap.writeInt32LE(topDown, 22);
  bitmap.writeUInt16LE(1, 26);
  bitmap.writeUInt16LE(bytesPerPixel * 8, 28);
  bitmap.writeUInt32LE(data.length, 34);
  data.copy(bitmap, bitmapHeaderBytes);
  return bitmap;
}
