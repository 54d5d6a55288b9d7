/** An area of the screen, screen pixels; `width` and `height` are at least 1. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export const tileEdge = 64;

/** When each tile of 64×64 pixels changed last: by a number that grows with every update, and by monotonic time. */
export class DamageGrid {
  readonly columns: number;
  readonly rows: number;
  private readonly width: number;
  private readonly height: number;
  private readonly sequences: Float64Array;
  private readonly changedAtMs: Float64Array;
  private current = 0;
  private newest = 0;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.columns = Math.ceil(width / tileEdge);
    this.rows = Math.ceil(height / tileEdge);
    this.sequences = new Float64Array(this.columns * this.rows);
    this.changedAtMs = new Float64Array(this.columns * this.rows).fill(Number.NEGATIVE_INFINITY);
  }

  /** Everything marked from now on counts as later than what was seen before. */
  advance(): void {
    this.current += 1;
  }

  /** Compare with `changedSince`: a picture taken now holds every change up to this number. */
  get sequence(): number {
    return this.current;
  }

  isMarked(column: number, row: number): boolean {
    return this.sequences[row * this.columns + column] === this.current;
  }

  mark(column: number, row: number, nowMs: number): void {
    const tile = row * this.columns + column;
    this.sequences[tile] = this.current;
    this.changedAtMs[tile] = nowMs;
    this.newest = this.current;
  }

  /** Marks every tile that `area` touches; parts outside the screen are ignored. */
  markArea(area: Rectangle, nowMs: number): void {
    this.eachTile(area, (column, row) => this.mark(column, row, nowMs));
  }

  /** The tiles of `area` that changed after `sequence`, merged into rectangles, cut to `area`. */
  changedSince(sequence: number, area: Rectangle): Rectangle[] {
    if (this.newest <= sequence) return [];
    const changed: Rectangle[] = [];
    this.eachTile(area, (column, row) => {
      if (this.sequences[row * this.columns + column]! > sequence) changed.push(tileRectangle(column, row));
    });
    return mergeTiles(changed).flatMap((rectangle) => intersect(rectangle, area) ?? []);
  }

  /** Monotonic milliseconds of the last change in `area`; minus infinity when nothing ever changed there. */
  lastChangeMs(area: Rectangle = { x: 0, y: 0, width: this.width, height: this.height }): number {
    let last = Number.NEGATIVE_INFINITY;
    this.eachTile(area, (column, row) => {
      last = Math.max(last, this.changedAtMs[row * this.columns + column]!);
    });
    return last;
  }

  private eachTile(area: Rectangle, visit: (column: number, row: number) => void): void {
    const inside = intersect(area, { x: 0, y: 0, width: this.width, height: this.height });
    if (!inside) return;
    const lastColumn = Math.ceil((inside.x + inside.width) / tileEdge);
    const lastRow = Math.ceil((inside.y + inside.height) / tileEdge);
    for (let row = Math.floor(inside.y / tileEdge); row < lastRow; row++) {
      for (let column = Math.floor(inside.x / tileEdge); column < lastColumn; column++) visit(column, row);
    }
  }
}

export function intersect(a: Rectangle, b: Rectangle): Rectangle | undefined {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : undefined;
}

/** The smallest rectangle around both. */
export function unite(a: Rectangle, b: Rectangle): Rectangle {
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

function tileRectangle(column: number, row: number): Rectangle {
  return { x: column * tileEdge, y: row * tileEdge, width: tileEdge, height: tileEdge };
}

/** Joins neighbours of one row, then runs of equal width in the rows below each other. Tiles come row by row. */
function mergeTiles(tiles: readonly Rectangle[]): Rectangle[] {
  const merged: Rectangle[] = [];
  const runs: Rectangle[] = [];
  for (const tile of tiles) {
    const last = runs.at(-1);
    if (last && last.y === tile.y && last.x + last.width === tile.x) last.width += tile.width;
    else runs.push({ ...tile });
  }
  for (const run of runs) {
    const above = merged.find(
      (other) => other.x === run.x && other.width === run.width && other.y + other.height === run.y,
    );
    if (above) above.height += run.height;
    else merged.push(run);
  }
  return merged;
}
