import type { Clock } from '@lebureau/kit/clock';
import { newId } from '@lebureau/kit/id';
import { toRfc3339 } from '@lebureau/kit/clock';
import type { components } from '@lebureau/openapi/node';
import type { Rectangle } from './damageGrid.ts';
import type { Framebuffer } from './framebuffer.ts';

export type Frame = components['schemas']['Frame'];

/** What is remembered of a frame, so that coordinates read in it and changes since it can be told. */
export interface FrameRecord {
  frame: Frame;
  /** The framebuffer it was cut from: a new size of the screen is a new framebuffer. */
  framebuffer: Framebuffer;
  /** Damage up to this number is in the frame. */
  sequence: number;
  takenMs: number;
}

export interface FrameShape {
  region: Rectangle;
  width: number;
  height: number;
}

const lifeMs = 600_000;
const framesMax = 1024;

/** The frames of one desktop. They live ten minutes, or until the size of the screen changes. */
export class FrameStore {
  private readonly clock: Clock;
  private readonly records = new Map<string, FrameRecord>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  add(framebuffer: Framebuffer, shape: FrameShape, hash: string): FrameRecord {
    const nowMs = this.clock.nowMs();
    const frame: Frame = {
      frameId: newId('fr', nowMs),
      width: shape.width,
      height: shape.height,
      scale: shape.width / shape.region.width,
      screenWidth: framebuffer.width,
      screenHeight: framebuffer.height,
      region: shape.region,
      hash,
      takenAt: toRfc3339(nowMs),
    };
    const record = { frame, framebuffer, sequence: framebuffer.damage.sequence, takenMs: this.clock.monotonicMs() };
    // An update may be half-way: what of it is still to come must count as later than this frame.
    framebuffer.damage.advance();
    this.forget();
    this.records.set(frame.frameId, record);
    return record;
  }

  /** Undefined when it is unknown, older than ten minutes, or of another screen size than `framebuffer`. */
  find(frameId: string, framebuffer: Framebuffer): FrameRecord | undefined {
    const record = this.records.get(frameId);
    if (!record || record.framebuffer !== framebuffer) return undefined;
    return this.clock.monotonicMs() - record.takenMs <= lifeMs ? record : undefined;
  }

  private forget(): void {
    const oldestMs = this.clock.monotonicMs() - lifeMs;
    for (const [frameId, record] of this.records) {
      if (record.takenMs >= oldestMs && this.records.size < framesMax) return;
      this.records.delete(frameId);
    }
  }
}
