import { type Inflate, createInflate } from 'node:zlib';
import type { ByteReader } from './byteReader.ts';
import type { Rectangle } from './damageGrid.ts';
import { type Framebuffer, bytesPerPixel } from './framebuffer.ts';
import { type ScreenSize, checkSize } from './rfbHandshake.ts';

/** In the order of our preference: on a local socket raw costs both sides least. */
export const encodings = {
  raw: 0,
  copyRect: 1,
  zlib: 6,
  desktopSize: -223,
  lastRect: -224,
  cursor: -239,
  extendedDesktopSize: -308,
} as const;

const cursorEdgeMax = 256;
const stripMaxBytes = 262_144;

/** What is left to do after a rectangle: nothing, stop reading rectangles, or start over with another size. */
export type RectangleOutcome = { painted?: Rectangle; last?: true; resized?: ScreenSize };

/** Reads rectangles of framebuffer updates into a framebuffer. Holds the zlib stream, which lives as long as the connection. */
export class RectangleReader {
  private readonly reader: ByteReader;
  private inflater: BoundedInflate | undefined;

  constructor(reader: ByteReader) {
    this.reader = reader;
  }

  /** @throws Error for anything outside the screen, unknown or too large. */
  async read(framebuffer: Framebuffer, nowMs: number): Promise<RectangleOutcome> {
    const header = await this.reader.read(12);
    const area = {
      x: header.readUInt16BE(0),
      y: header.readUInt16BE(2),
      width: header.readUInt16BE(4),
      height: header.readUInt16BE(6),
    };
    const encoding = header.readInt32BE(8);
    switch (encoding) {
      case encodings.lastRect:
        return { last: true };
      case encodings.desktopSize:
        return { resized: checkSize(area.width, area.height) };
      case encodings.extendedDesktopSize:
        return this.readExtendedSize(area);
      case encodings.cursor:
        await this.readCursor(framebuffer, area, nowMs);
        return {};
      default:
        return this.paint(framebuffer, { area, encoding }, nowMs);
    }
  }

  close(): void {
    this.inflater?.close();
  }

  private async paint(
    framebuffer: Framebuffer,
    { area, encoding }: { area: Rectangle; encoding: number },
    nowMs: number,
  ): Promise<RectangleOutcome> {
    checkInside(area, framebuffer);
    switch (encoding) {
      case encodings.raw:
        await this.readRaw(framebuffer, area, nowMs);
        break;
      case encodings.copyRect: {
        const from = await this.reader.read(4);
        const source = { ...area, x: from.readUInt16BE(0), y: from.readUInt16BE(2) };
        checkInside(source, framebuffer);
        if (area.width > 0 && area.height > 0) framebuffer.copyArea(source, area, nowMs);
        break;
      }
      case encodings.zlib: {
        const compressed = await this.readCompressed(area);
        this.inflater ??= new BoundedInflate();
        const pixels = await this.inflater.inflate(compressed, area.width * area.height * bytesPerPixel);
        framebuffer.writeRows(area, pixels, nowMs);
        break;
      }
      default:
        throw new Error(`encoding ${encoding} was not asked for`);
    }
    return { painted: area };
  }

  private async readRaw(framebuffer: Framebuffer, area: Rectangle, nowMs: number): Promise<void> {
    const rowBytes = area.width * bytesPerPixel;
    if (rowBytes === 0) return;
    const rowsAtOnce = Math.max(1, Math.floor(stripMaxBytes / rowBytes));
    for (let row = 0; row < area.height; row += rowsAtOnce) {
      const height = Math.min(rowsAtOnce, area.height - row);
      const data = await this.reader.read(height * rowBytes);
      framebuffer.writeRows({ x: area.x, y: area.y + row, width: area.width, height }, data, nowMs);
    }
  }

  /** zlib can grow data by a few bytes in 16 KiB; anything beyond is no honest compression. */
  private async readCompressed(area: Rectangle): Promise<Buffer> {
    const length = (await this.reader.read(4)).readUInt32BE(0);
    const plain = area.width * area.height * bytesPerPixel;
    if (length > plain + plain / 1000 + 1024) throw new Error(`${length} compressed bytes for ${plain} are refused`);
    return this.reader.read(length);
  }

  private async readCursor(framebuffer: Framebuffer, area: Rectangle, nowMs: number): Promise<void> {
    const { width, height, x: hotX, y: hotY } = area;
    if (width > cursorEdgeMax || height > cursorEdgeMax) throw new Error(`a cursor of ${width}×${height} is refused`);
    const pixels = await this.reader.read(width * height * bytesPerPixel);
    const maskRowBytes = Math.ceil(width / 8);
    const bits = await this.reader.read(maskRowBytes * height);
    const mask = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        mask[y * width + x] = (bits[y * maskRowBytes + (x >> 3)]! >> (7 - (x & 7))) & 1;
      }
    }
    framebuffer.setCursorShape(
      width * height === 0 ? undefined : { width, height, hotX, hotY, pixels: Buffer.from(pixels), mask },
      nowMs,
    );
  }

  private async readExtendedSize(area: Rectangle): Promise<RectangleOutcome> {
    const screens = (await this.reader.read(4))[0]!;
    await this.reader.read(screens * 16);
    const refused = area.y !== 0;
    return refused ? {} : { resized: checkSize(area.width, area.height) };
  }
}

function checkInside(area: Rectangle, framebuffer: Framebuffer): void {
  if (area.x + area.width > framebuffer.width || area.y + area.height > framebuffer.height) {
    throw new Error(`the rectangle ${area.width}×${area.height}+${area.x}+${area.y} lies outside the screen`);
  }
}

/** One endless zlib stream, read in portions whose plain size is known beforehand. */
class BoundedInflate {
  private readonly stream: Inflate = createInflate();
  private failure: Error | undefined;

  constructor() {
    this.stream.on('error', (error: Error) => {
      this.failure = error;
    });
  }

  /** @throws Error when the data is broken or its plain size is not exactly `plainBytes`. */
  async inflate(compressed: Buffer, plainBytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let total = 0;
    const collect = (part: Buffer) => {
      total += part.length;
      if (total <= plainBytes) parts.push(part);
      else this.stream.destroy(new Error('more data than pixels'));
    };
    this.stream.on('data', collect);
    try {
      await new Promise<void>((resolve, reject) => {
        if (this.failure) return reject(this.failure);
        this.stream.once('error', reject);
        this.stream.write(compressed, (error) => {
          this.stream.off('error', reject);
          if (error) reject(error);
          else resolve();
        });
      });
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      this.stream.off('data', collect);
    }
    if (total !== plainBytes) throw new Error(`${total} bytes of pixels instead of ${plainBytes}`);
    return Buffer.concat(parts);
  }

  close(): void {
    this.stream.destroy();
  }
}
