/** What a vendor's models see without scaling a picture down themselves. One row a family; a vendor's change is one row. */
export interface PictureLimit {
  edgeMaxPx: number;
  pixelsMax?: number;
  /** The picture is cut into squares of this edge, and each is one token. */
  patch?: { edgePx: number; tokensMax: number };
}

export const pictureLimits = {
  /** Claude models before Opus 4.7. */
  'anthropic-standard': { edgeMaxPx: 1568, patch: { edgePx: 28, tokensMax: 1568 } },
  'anthropic-high-resolution': { edgeMaxPx: 2576, patch: { edgePx: 28, tokensMax: 4784 } },
  /** `detail: "original"`. */
  'openai-original': { edgeMaxPx: 6000, pixelsMax: 10_240_000 },
  /** Gemini reads coordinates from 0 to 999: more pixels than this bring no more precision. */
  gemini: { edgeMaxPx: 3072 },
} as const satisfies Record<string, PictureLimit>;

export interface PictureSize {
  width: number;
  height: number;
}

/** Visual tokens of a picture in squares of `edgePx`. */
export function tokensOf(size: PictureSize, edgePx: number): number {
  return Math.ceil(size.width / edgePx) * Math.ceil(size.height / edgePx);
}

/** The largest size with the screen's proportions that the limit lets through: the screen itself where it fits. */
export function fitPicture(screen: PictureSize, limit: PictureLimit): PictureSize {
  const longEdge = Math.max(screen.width, screen.height);
  for (let edge = Math.min(longEdge, limit.edgeMaxPx); edge > 1; edge--) {
    const size = {
      width: Math.max(1, Math.round((screen.width * edge) / longEdge)),
      height: Math.max(1, Math.round((screen.height * edge) / longEdge)),
    };
    const pixelsFit = limit.pixelsMax === undefined || size.width * size.height <= limit.pixelsMax;
    const tokensFit = !limit.patch || tokensOf(size, limit.patch.edgePx) <= limit.patch.tokensMax;
    if (pixelsFit && tokensFit) return size;
  }
  return { width: 1, height: 1 };
}
