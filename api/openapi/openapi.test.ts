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

describe.each(Object.entries(contracts))('%s contract', (name, contract) => {
  test('every operation has an example that fits, where a body can have one', () => {
    for (const operation of contract.operations) {
      const example = contract.examples[operation.operationId];
      expect(example, operation.operationId).toBeDefined();
      if (typeof operation.body === 'object')
        validate(operation.body, example!.request, `${operation.operationId} request`);
      for (const answer of Object.values(operation.responses)) {
        const schema = answer.json ?? answer.body;
        if (typeof schema === 'object') validate(schema, example!.response, `${operation.operationId} response`);
        else if (schema !== undefined) expect(example!.response, operation.operationId).toMatch(/./);
      }
    }
  });

  test('the document carries an example of each body, and of each parameter that must be there', () => {
    for (const [path, methods] of Object.entries(describeContract(contract)['paths'] as Record<string, object>)) {
      for (const [method, { parameters = [], requestBody, responses }] of Object.entries(methods as Methods)) {
        const bodies = [
          requestBody,
          ...Object.entries(responses).flatMap(([code, each]) => (code < '3' ? [each] : [])),
        ];
        const contents = bodies.flatMap((body) => (body?.content ? [Object.values(body.content)] : []));
        for (const each of contents) expect(each.some(hasExample), `${method} ${path}`).toBe(true);
        for (const each of parameters.filter((one) => one.required))
          expect(each.example, `${method} ${path} ${each.name}`).toSatisfy(fits(each.schema));
      }
    }
  });

  test('what an answer may say in its headers stands in the document', () => {
    const documented = JSON.stringify(describeContract(contract));
    const sent = ['X-Request-Id', 'Retry-After'];
    const ofPublic = ['RateLimit', 'RateLimit-Policy', 'Idempotent-Replayed', 'WWW-Authenticate', 'Location', 'ETag'];
    for (const header of name === 'public' ? [...sent, ...ofPublic] : sent)
      expect(documented).toContain(`"${header}":{`);
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

interface Body {
  content?: Record<string, { example?: unknown }>;
}
type Methods = Record<
  string,
  {
    parameters?: { name: string; required: boolean; schema: { pattern?: string }; example?: unknown }[];
    requestBody?: Body;
    responses: Record<string, Body>;
  }
>;

function hasExample({ example }: { example?: unknown }): boolean {
  return example !== undefined && example !== '';
}

function fits({ pattern }: { pattern?: string }): (example: unknown) => boolean {
  return (example) => example !== undefined && (pattern === undefined || new RegExp(pattern).test(String(example)));
}

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
