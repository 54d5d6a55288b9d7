import { Duplex } from 'node:stream';

/** Two ends of one connection inside the process. */
export function streamPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  for (const other of [1, 0]) {
    ends.push(
      new Duplex({
        read: () => {},
        write: (piece: Buffer, _encoding, done) => {
          ends[other]?.push(piece);
          done();
        },
        final: (done) => {
          ends[other]?.push(null);
          done();
        },
        destroy: (error, done) => {
          done(error);
          if (ends[other]?.destroyed === false) ends[other].destroy();
        },
      }),
    );
  }
  return [ends[0] as Duplex, ends[1] as Duplex];
}
