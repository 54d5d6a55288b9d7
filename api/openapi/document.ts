import { type Operation, type Streamed } from '../http/operation.ts';
import { type ProblemCode, problems } from '../http/problems.ts';
import type { TSchema } from '../http/schema.ts';
import { Components, type Json, type JsonObject } from './jsonSchema.ts';
import { parameterExamples } from './parameterExamples.ts';

export interface Example {
  request?: Json;
  /** Of a streamed body: the text. */
  response?: Json;
}

export interface Contract {
  title: string;
  version: string;
  description: string;
  operations: readonly Operation[];
  /** Names of schemas that shall be components. */
  named: Readonly<Record<string, TSchema>>;
  tags: Readonly<Record<string, string>>;
  security: { name: string; scheme: JsonObject };
  /** What every error is. */
  problem: TSchema;
  /** By operationId. */
  examples: Readonly<Record<string, Example>>;
}

const idempotencyKeyAbout =
  '1 to 255 printable characters; the same key with the same request is carried out once in 24 hours, and its answer repeated with `Idempotent-Replayed: true`. Of a long answer of a desktop only the status is kept: `replay_unavailable`.';

const mediaTypes: Record<Streamed, string> = {
  octets: 'application/octet-stream',
  image: 'image/png',
  events: 'text/event-stream',
  text: 'text/plain',
};

/** The OpenAPI 3.1 document of a contract. */
export function describeContract(contract: Contract): JsonObject {
  const components = new Components({ ...contract.named, Problem: contract.problem });
  const paths: Record<string, JsonObject> = {};
  for (const operation of contract.operations) {
    const path = operation.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[operation.method.toLowerCase()] = describe(operation, contract, components);
  }
  const usedTags = new Set(contract.operations.map((operation) => operation.tag));
  return {
    openapi: '3.1.0',
    info: {
      title: contract.title,
      version: contract.version,
      description: contract.description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(contract.tags)
      .filter(([name]) => usedTags.has(name))
      .map(([name, description]) => ({ name, description })),
    security: [{ [contract.security.name]: [] }],
    paths: paths as JsonObject,
    components: {
      securitySchemes: { [contract.security.name]: contract.security.scheme },
      headers: headersUsed(paths),
      schemas: components.used(),
    },
  };
}

function describe(operation: Operation, contract: Contract, components: Components): JsonObject {
  const example = contract.examples[operation.operationId];
  const needs = needOf(operation);
  const result: JsonObject = {
    operationId: operation.operationId,
    tags: [operation.tag],
    summary: operation.summary,
    description: [operation.description, needs].filter(Boolean).join('\n\n'),
    'x-capability': operation.capability,
  };
  if (operation.bucket) result['x-rate-limit-bucket'] = operation.bucket;
  if (operation.capability === 'none') result['security'] = [];
  const parameters = parametersOf(operation, components);
  if (parameters.length > 0) result['parameters'] = parameters;
  if (operation.body) result['requestBody'] = requestBody(operation, components, example?.request);
  result['responses'] = {
    ...responsesOf(operation, components, example?.response),
    ...problemResponses(operation, components.refer(contract.problem)),
  };
  return result;
}

function needOf(operation: Operation): string {
  if (operation.capability === 'none') return 'Needs no key.';
  if (operation.capability === 'node') return '';
  if (operation.capability === 'key') return 'Needs a key; any capability.';
  if (operation.capability === 'session') return 'Needs somebody who signed in, on the dashboard.';
  if (operation.capability === 'gateway') return 'Only for the gateway.';
  return `Needs the capability \`${operation.capability}\`.`;
}

function parametersOf(operation: Operation, components: Components): JsonObject[] {
  const of = (place: string, schema: TSchema | undefined) => {
    const required = new Set((schema?.['required'] as string[] | undefined) ?? []);
    return Object.entries((schema?.['properties'] ?? {}) as Record<string, TSchema>).map(([name, property]) => {
      const { description, ...rest } = components.refer(property);
      const example = parameterExamples[name];
      return {
        name,
        in: place,
        required: required.has(name),
        ...(description === undefined ? {} : { description }),
        schema: rest,
        ...(example === undefined || !required.has(name) ? {} : { example }),
      };
    });
  };
  const wanted = {
    ...operation.headers,
    ...(isIdempotent(operation) ? { 'Idempotency-Key': idempotencyKeyAbout } : {}),
  };
  const headers = Object.entries(wanted).map(([name, description]) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  }));
  return [...of('path', operation.params), ...of('query', operation.query), ...headers];
}

function requestBody(operation: Operation, components: Components, example: Json | undefined): JsonObject {
  if (operation.body === 'octets') {
    return {
      required: true,
      content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' }, example: 'any bytes' } },
    };
  }
  const content: JsonObject = { schema: components.refer(operation.body!) };
  if (example !== undefined) content['example'] = example;
  return { required: operation.bodyOptional !== true, content: { 'application/json': content } };
}

function responsesOf(operation: Operation, components: Components, example: Json | undefined): JsonObject {
  const responses: Record<string, JsonObject> = {};
  for (const [status, answer] of Object.entries(operation.responses)) {
    const response: JsonObject = { description: answer.about };
    response['headers'] = {
      ...Object.fromEntries(Object.entries(answer.headers ?? {}).map(([name, about]) => [name, header(about)])),
      ...answerHeaders(operation),
      ...(isIdempotent(operation) ? { 'Idempotent-Replayed': shared('IdempotentReplayed') } : {}),
    };
    if (answer.body === 'events') {
      response['content'] = eventContent(answer.item, components, example);
    } else if (typeof answer.body === 'string') {
      response['content'] = {
        ...streamedContent(answer.body, answer.json ? undefined : example),
        ...(answer.json ? jsonContent(answer.json, components, example) : {}),
      };
    } else if (answer.body) {
      response['content'] = jsonContent(answer.body, components, example);
    }
    responses[status] = response;
  }
  return responses;
}

/** Headers that many answers have, by their names as components. */
const sharedHeaders = {
  RequestId: 'Names this request in reports and logs.',
  IdempotentReplayed: '`true`: this is the kept answer.',
  RateLimit: 'What is left of the bucket of this key, `r`, and the seconds until it is full, `t`.',
  RateLimitPolicy: 'Requests `q` in a window of `w` seconds. Absent where nothing is limited.',
  RetryAfter: 'Seconds after which to try again, where that may help.',
} as const;

/** Those that some answer refers to. */
function headersUsed(paths: Record<string, JsonObject>): JsonObject {
  const text = JSON.stringify(paths);
  return Object.fromEntries(
    Object.entries(sharedHeaders)
      .filter(([name]) => text.includes(`"#/components/headers/${name}"`))
      .map(([name, about]) => [name, header(about)]),
  );
}

function shared(name: keyof typeof sharedHeaders): JsonObject {
  return { $ref: `#/components/headers/${name}` };
}

function header(description: string): JsonObject {
  return { description, schema: { type: 'string' } };
}

/** Headers that every answer of this operation may have. */
function answerHeaders(operation: Operation): JsonObject {
  const limited = {
    RateLimit: shared('RateLimit'),
    'RateLimit-Policy': shared('RateLimitPolicy'),
  };
  return {
    ...(operation.bucket ? limited : {}),
    'X-Request-Id': shared('RequestId'),
  };
}

function isIdempotent({ method, capability }: Operation): boolean {
  return method === 'POST' && capability !== 'node' && capability !== 'gateway';
}

/** Headers of the errors with this status. */
function problemHeaders(status: number): JsonObject {
  const waits = [409, 429, 503].includes(status);
  return {
    ...(waits ? { 'Retry-After': shared('RetryAfter') } : {}),
    ...(status === 401 ? { 'WWW-Authenticate': header('`Bearer`.') } : {}),
    ...(status === 416 ? { 'Content-Range': header('`bytes */` and the size of the file.') } : {}),
  };
}

function jsonContent(schema: TSchema, components: Components, example: Json | undefined): JsonObject {
  const content: JsonObject = { schema: components.refer(schema) };
  if (example !== undefined) content['example'] = example;
  return { 'application/json': content };
}

function eventContent(item: TSchema | undefined, components: Components, example: Json | undefined): JsonObject {
  const each: JsonObject = item ? { contentMediaType: 'application/json', contentSchema: components.refer(item) } : {};
  const schema: JsonObject = { type: 'string', description: 'Server-sent events.', ...each };
  return { 'text/event-stream': { schema, ...(example === undefined ? {} : { example }) } };
}

function streamedContent(body: Streamed, example: Json | undefined): JsonObject {
  const schema: JsonObject =
    body === 'octets' || body === 'image' ? { type: 'string', format: 'binary' } : { type: 'string' };
  const types = body === 'image' ? ['image/png', 'image/jpeg', 'image/webp'] : [mediaTypes[body]];
  return Object.fromEntries(types.map((type) => [type, { schema, ...(example === undefined ? {} : { example }) }]));
}

/** The errors of an operation, by status, each with the codes it can carry. */
function problemResponses(operation: Operation, schema: JsonObject): JsonObject {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of problemCodesOf(operation)) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus]
      .toSorted(([a], [b]) => a - b)
      .map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => `\`${code}\` ${problems[code].title}.`).join(' '),
          headers: {
            ...problemHeaders(status),
            ...answerHeaders(operation),
            ...(isIdempotent(operation) ? { 'Idempotent-Replayed': shared('IdempotentReplayed') } : {}),
          },
          content: { 'application/problem+json': { schema } },
        },
      ]),
  );
}

/** Every code that this operation can answer with. */
export function problemCodesOf(operation: Operation): ProblemCode[] {
  const codes = new Set<ProblemCode>(['invalid_request', ...(operation.problems ?? []), 'internal', 'unavailable']);
  if (operation.capability !== 'none' && operation.capability !== 'node') codes.add('unauthenticated');
  if (!['none', 'node', 'key', 'session', 'gateway'].includes(operation.capability)) codes.add('capability_missing');
  if (operation.bucket) codes.add('rate_limited');
  if (operation.body && operation.body !== 'octets') codes.add('payload_too_large');
  if (operation.body) codes.add('unsupported_media_type');
  if (isIdempotent(operation)) {
    codes.add('idempotency_mismatch').add('idempotency_in_progress').add('replay_unavailable');
  }
  return [...codes];
}
