import type { Clock } from './clock.ts';
import { closeCodes, type StreamEnd } from './streamEnd.ts';

export interface JoinOptions {
  clock: Clock;
  /** An end of the first kind that takes nothing for so long is closed. */
  stallLimitMs: number;
}

/**
 * Joins a viewer with what it views until one of them is over; then the other is closed with the same code. Each is read
 * only as fast as the other takes it. A viewer that stalls is closed after a limit; what is viewed may take its time,
 * since that holds nothing but the viewer.
 */
export function joinEnds(viewer: StreamEnd, viewed: StreamEnd, options: JoinOptions): void {
  let stalled: AbortController | undefined;
  const settle = () => {
    stalled?.abort();
    stalled = undefined;
  };
  const hold = () => {
    viewed.pause();
    if (stalled !== undefined) return;
    const waiting = new AbortController();
    stalled = waiting;
    void options.clock.sleep(options.stallLimitMs, waiting.signal).then(() => {
      if (waiting.signal.aborted) return;
      viewed.close(closeCodes.stalled, 'stalled');
      viewer.close(closeCodes.stalled, 'stalled');
    });
  };
  viewer.listen({
    bytes: (piece) => {
      if (!viewed.send(piece)) viewer.pause();
    },
    text: (text) => {
      if (!viewed.sendText(text)) viewer.pause();
    },
    drained: () => {
      settle();
      viewed.resume();
    },
    closed: (code, reason) => {
      settle();
      viewed.close(code, reason);
    },
  });
  viewed.listen({
    bytes: (piece) => {
      if (!viewer.send(piece)) hold();
    },
    text: (text) => {
      if (!viewer.sendText(text)) hold();
    },
    drained: () => viewer.resume(),
    closed: (code, reason) => {
      settle();
      viewer.close(code, reason);
    },
  });
}
