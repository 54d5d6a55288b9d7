import type { Duplex } from 'node:stream';

/**
 * The next `count` bytes of a stream whose other side waits for an answer after them, and then leaves it paused.
 * @throws Error when it ends, says more, or takes longer than `limitMs`
 */
export function readExactly(stream: Duplex, count: number, limitMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const end = (error?: Error) => {
      clearTimeout(timer);
      stream.off('data', take);
      stream.off('close', closed);
      stream.pause();
      if (error) reject(error);
      else resolve(bytes);
    };
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > count) end(new Error('It said more than was asked.'));
      else if (bytes.length === count) end();
    };
    const closed = () => end(new Error('The connection was closed.'));
    const timer = setTimeout(() => end(new Error(`No answer within ${limitMs} ms.`)), limitMs);
    stream.on('data', take);
    stream.on('close', closed);
    stream.resume();
  });
}
