import type { Frame, Image, ScreenshotWire } from './types.ts';

/** A screenshot: one image of the whole frame, or with `since` those of the parts that changed. */
export class Picture {
  readonly frame: Frame;
  readonly unchanged: boolean;
  readonly images: readonly Image[];

  constructor(wire: ScreenshotWire) {
    this.frame = wire.frame;
    this.unchanged = wire.unchanged;
    this.images = wire.images;
  }

  /** The name that coordinates read in this picture go by. */
  get frameId(): string {
    return this.frame.frameId;
  }

  /** Of the first image, e.g. `image/webp`. */
  get mimeType(): string {
    return `image/${this.#first().format}`;
  }

  get base64(): string {
    return this.#first().data;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return imageBytes(this.#first());
  }

  #first(): Image {
    const [image] = this.images;
    if (!image) throw new RangeError('Nothing changed since that frame, so there is no image');
    return image;
  }
}

export function imageBytes(image: Image): Uint8Array<ArrayBuffer> {
  const text = atob(image.data);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
