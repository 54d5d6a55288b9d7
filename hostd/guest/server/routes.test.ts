import { expect, test } from 'vitest';
import contract from '@lebureau/openapi/node.json';
import { guestRoutes, matchRoute } from './routes.ts';

const asg = 'asg_01k9x3v6m8e9t2q4r6s8v0w2y4';

test('the routes are those of the contract', () => {
  const prefix = '/guest/{assignmentId}';
  const inContract = Object.entries(contract.paths)
    .filter(([path]) => path.startsWith(prefix))
    .flatMap(([path, item]) =>
      Object.entries(item as Record<string, { operationId?: string }>)
        .filter(([, operation]) => operation.operationId !== undefined)
        .map(([method, operation]) =>
          [operation.operationId ?? '', method.toUpperCase(), path.slice(prefix.length)].join(' '),
        ),
    );
  const here = Object.entries(guestRoutes).map(([operationId, [method, path]]) => `${operationId} ${method} ${path}`);
  expect(here.toSorted()).toEqual(inContract.toSorted());
});

test('a path finds its operation', () => {
  expect(matchRoute('GET', `/guest/${asg}/files`)).toEqual({ assignmentId: asg, operationId: 'listFiles', params: {} });
  expect(matchRoute('POST', `/guest/${asg}/windows/0x1f/focus`)).toMatchObject({
    operationId: 'focusWindow',
    params: { windowId: '0x1f' },
  });
  expect(matchRoute('PATCH', `/guest/${asg}/files`)).toBe('no method');
});

test.each([
  '/',
  '/guest',
  `/guest/${asg}`,
  `/guest/${asg}/`,
  `/guest/${asg}/no`,
  '/guest/asg_1/files',
  `/guest/${asg}/processes/a%2Fb`,
  `/guest/${asg}/processes/..`,
  `//guest/${asg}/files`,
])('%s leads nowhere', (path) => {
  expect(matchRoute('GET', path)).toBe('no path');
});
