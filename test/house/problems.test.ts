import { expect, test } from 'vitest';
import { problems } from '../../api/http/problems.ts';
import { kinds } from '../../hostd/guest/server/problem.ts';

test('what hostd says of a code is what the API says of it', () => {
  for (const [code, { status, title, retryable = false }] of Object.entries(kinds))
    expect({ code, status, title, retryable }).toEqual({
      code,
      status: problems[code as keyof typeof problems].status,
      title: problems[code as keyof typeof problems].title,
      retryable: problems[code as keyof typeof problems].retryable,
    });
});
