import { expect, test } from 'vitest';
import { ServerSocketEnd } from './serverSocketEnd.ts';

/** A socket whose queue and answers are given. */
function world() {
  const socket = { answer: 1, queued: 0, calls: [] as string[] };
  const heard: string[] = [];
  const end = new ServerSocketEnd();
  end.onEnded(() => heard.push('ended'));
  end.onOpen(() =>
    end.listen({
      bytes: () => heard.push('bytes'),
      text: () => heard.push('text'),
      drained: () => heard.push('drained'),
      closed: (code) => heard.push(`closed ${code}`),
    }),
  );
  end.opened({
    sendBinary: () => socket.answer,
    sendText: () => socket.answer,
    getBufferedAmount: () => socket.queued,
    pause: () => socket.calls.push('pause'),
    resume: () => socket.calls.push('resume'),
    close: (code: number) => socket.calls.push(`close ${code}`),
    terminate: () => socket.calls.push('terminate'),
  } as never);
  return { socket, heard, end };
}

test('a drain that leaves much in the queue is not told', () => {
  const { socket, heard, end } = world();
  Object.assign(socket, { answer: -1, queued: 5_000_000 });
  expect(end.send(Buffer.alloc(10))).toBe(false);
  end.drained();
  expect(heard).toEqual([]);
  socket.queued = 0;
  end.drained();
  expect(heard).toEqual(['drained']);
});

test('texts and empty messages are held back like bytes', () => {
  const { socket, end } = world();
  expect(end.sendText('taken')).toBe(true);
  socket.answer = -1;
  expect(end.sendText('queued')).toBe(false);
  expect(end.sendText('')).toBe(false);
  expect(end.send(Buffer.alloc(0))).toBe(false);
});

test('what was dropped ends the stream at once and once', () => {
  const { socket, heard, end } = world();
  socket.answer = 0;
  expect(end.send(Buffer.alloc(10))).toBe(false);
  end.ended(1006, '');
  expect(socket.calls).toEqual(['terminate']);
  expect(heard).toEqual(['closed 4408', 'ended']);
});

test('nothing to send is no drop, and codes that may not be sent are not', () => {
  const { socket, end } = world();
  socket.answer = 0;
  expect(end.send(Buffer.alloc(0))).toBe(true);
  end.close(1006, 'broken');
  end.close(4404, 'again');
  expect(socket.calls).toEqual(['resume', 'close 1000']);
});

test('one that takes nothing any more is cut off when it is closed', () => {
  const { socket, end } = world();
  socket.queued = 100;
  end.close(4408, 'stalled');
  expect(socket.calls).toEqual(['resume', 'close 4408', 'terminate']);
});
