import { DamageGrid, type Rectangle, intersect, tileEdge } from './damageGrid.ts';

export const bytesPerPixel = 4;

/** The shape of the pointer, where the server leaves drawing it to the client. */
export interface CursorShape {
  width: number;
  height: number;
  hotX: number;
  hotY: number;
  /** BGRX. */
  pixels: Uint8Array;
  /** One byte a pixel: 0 is transparent. */
  mask: Uint8Array;
}

/**
 * The screen as last told by the server: BGRX, rows without padding. A tile counts as changed only when one of its
 * pixels differs from before, so a server that repeats itself changes nothing.
 */
export class Framebuffer {
  readonly width: number;
  readonly height: number;
  readonly pixels: Buffer;
  readonly damage: DamageGrid;
  private cursorShape: CursorShape | undefined;
  private cursorAt: { x: number; y: number } | undefined;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.pixels = Buffer.alloc(width * height * bytesPerPixel);
    this.damage = new DamageGrid(width, height);
  }

  get screen(): Rectangle {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  /** Writes whole rows of `area.width` pixels; `area` lies inside the screen. */
  writeRows(area: Rectangle, data: Buffer, nowMs: number): void {
    const rowBytes = area.width * bytesPerPixel;
    for (let row = 0; row < area.height; row++) {
      this.writeRow({ x: area.x, y: area.y + row }, data.subarray(row * rowBytes, (row + 1) * rowBytes), nowMs);
    }
  }

  /** Copies `area` to where its top left corner shall be; both lie inside the screen. */
  copyArea(area: Rectangle, to: { x: number; y: number }, nowMs: number): void {
    this.writeRows({ ...area, x: to.x, y: to.y }, this.cut(area), nowMs);
  }

  /** A copy of the pixels of `area`, which lies inside the screen. */
  cut(area: Rectangle): Buffer {
    const rowBytes = area.width * bytesPerPixel;
    const copy = Buffer.allocUnsafe(rowBytes * area.height);
    for (let row = 0; row < area.height; row++) {
      const from = this.offset(area.x, area.y + row);
      this.pixels.copy(copy, row * rowBytes, from, from + rowBytes);
    }
    return copy;
  }

  setCursorShape(shape: CursorShape | undefined, nowMs: number): void {
    this.markCursor(nowMs);
    this.cursorShape = shape;
    this.markCursor(nowMs);
  }

  /** Where the pointer is, as far as is known. */
  setCursorPosition(at: { x: number; y: number }, nowMs: number): void {
    if (this.cursorAt?.x === at.x && this.cursorAt.y === at.y) return;
    this.markCursor(nowMs);
    this.cursorAt = at;
    this.markCursor(nowMs);
  }

  /** Draws the pointer into a copy made by `cut(area)`, where the server left it to us and its place is known. */
  drawCursor(area: Rectangle, copy: Buffer): void {
    const shape = this.cursorShape;
    const place = this.cursorArea();
    const visible: Rectangle | undefined = place && intersect(place, area);
    if (!shape || !place || !visible) return;
    for (let y = visible.y; y < visible.y + visible.height; y++) {
      for (let x: number = visible.x; x < visible.x + visible.width; x++) {
        const from = (y - place.y) * shape.width + (x - place.x);
        if (shape.mask[from] === 0) continue;
        const to = ((y - area.y) * area.width + (x - area.x)) * bytesPerPixel;
        for (let byte = 0; byte < bytesPerPixel; byte++) copy[to + byte] = shape.pixels[from * bytesPerPixel + byte]!;
      }
    }
  }

  private writeRow(at: { x: number; y: number }, data: Buffer, nowMs: number): void {
    const from = this.offset(at.x, at.y);
    const present = this.pixels.subarray(from, from + data.length);
    if (present.equals(data)) return;
    const tileRow = Math.floor(at.y / tileEdge);
    const end = at.x + data.length / bytesPerPixel;
    let x = at.x;
    while (x < end) {
      const column: number = Math.floor(x / tileEdge);
      const next: number = Math.min((column + 1) * tileEdge, end);
      if (!this.damage.isMarked(column, tileRow)) {
        const first = (x - at.x) * bytesPerPixel;
        const last = (next - at.x) * bytesPerPixel;
        if (!present.subarray(first, last).equals(data.subarray(first, last))) this.damage.mark(column, tileRow, nowMs);
      }
      x = next;
    }
    data.copy(this.pixels, from);
  }

  private cursorArea(): Rectangle | undefined {
    const shape = this.cursorShape;
    const at = this.cursorAt;
    if (!shape || !at) return undefined;
    return { x: at.x - shape.hotX, y: at.y - shape.hotY, width: shape.width, height: shape.height };
  }

  private markCursor(nowMs: number): void {
    const area = this.cursorArea();
    if (!area) return;
    this.damage.advance();
    this.damage.markArea(area, nowMs);
  }

  private offset(x: number, y: number): number {
    return (y * this.width + x) * bytesPerPixel;
  }
}
