import { expect, test } from 'vitest';
import { readAnswer } from './httpAnswer.ts';

const answer = (text: string) => readAnswer(Buffer.from(text));

test('status, reason, date and body are read, by length and by chunks', () => {
  const whole = answer(
    'HTTP/1.1 500 VM 1 is not running\r\nContent-Length: 2\r\nDate: Thu, 26 Nov 2026 11:21:32 GMT\r\n\r\n{}',
  );
  expect(whole).toEqual({
    status: 500,
    reason: 'VM 1 is not running',
    body: '{}',
    dateMs: Date.UTC(2026, 10, 26, 11, 21, 32),
  });
  expect(answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n').body).toBe(
    'abcde',
  );
  expect(answer('HTTP/1.1 596\r\n\r\n')).toEqual({ status: 596, reason: '', body: '' });
});

test.each([
  ['', 'before an answer'],
  ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}', 'cut off'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc', 'cut off'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'cut off'],
  ['SSH-2.0-x\r\n\r\n\r\n', 'does not speak HTTP'],
])('%j is no whole answer', (text, why) => {
  expect(() => answer(text)).toThrow(why);
});
