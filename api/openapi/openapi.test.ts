import { readFile } from 'node:fs/promises';
import { validate as validateDocument } from '@readme/openapi-parser';
import { describe, expect, test } from 'vitest';
import type { Operation } from '../http/operation.ts';
import packageJson from '../package.json' with { type: 'json' };
import { problems } from '../http/problems.ts';
import { validate } from '../http/validate.ts';
import { describeContract, problemCodesOf } from './document.ts';
import { nodeContract } from './nodeContract.ts';
import { publicContract } from './publicContract.ts';

const contracts = { public: publicContract('0.0.0'), node: nodeContract('0.0.0') };

describe.each(Object.entries(contracts))('%s contract', (_name, contract) => {
  test('every operation has an example that fits, where a body can have one', () => {
    for (const operation of contract.operations) {
      const example = contract.examples[operation.operationId];
      expect(example, operation.operationId).toBeDefined();
      if (typeof operation.body === 'object')
        validate(operation.body, example!.request, `${operation.operationId} request`);
      for (const answer of Object.values(operation.responses)) {
        const schema = answer.json ?? answer.body;
        if (typeof schema === 'object') validate(schema, example!.response, `${operation.operationId} response`);
      }
    }
  });

  test('operation ids and paths are unique, and every one can fail', () => {
    const ids = contract.operations.map((operation) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const operation of contract.operations) expect(statusesOf(operation)).toContain(500);
  });

  test('the document is valid for @readme/openapi-parser without a warning', async () => {
    const result = await validateDocument(structuredClone(describeContract(contract)) as never);
    expect(result).toMatchObject({ valid: true, warnings: [] });
  });
});

function statusesOf(operation: Operation): number[] {
  return problemCodesOf(operation).map((code) => problems[code].status);
}

test('what is committed is what the routes say', async () => {
  for (const [name, contract] of Object.entries({
    public: publicContract(packageJson.version),
    node: nodeContract(packageJson.version),
  })) {
    const committed: unknown = JSON.parse(
      await readFile(new URL(`../../openapi/${name}.json`, import.meta.url), 'utf8'),
    );
    expect(committed).toEqual(describeContract(contract));
  }
});
