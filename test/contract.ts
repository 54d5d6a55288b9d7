import nodeDocument from '@lebureau/openapi/node.json' with { type: 'json' };
import publicDocument from '@lebureau/openapi/public.json' with { type: 'json' };
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** Every answer that a test sees goes through here, so that the published contracts and the services cannot drift apart. */

interface Answer {
  headers?: Record<string, unknown>;
  content?: Record<string, { schema: object }>;
}

interface Operation {
  operationId: string;
  method: string;
  /** The whole path, and how much of it is the same for all. */
  pattern: RegExp;
  fixedParts: number;
  responses: Record<string, Answer>;
}

interface Document {
  name: string;
  operations: Operation[];
}

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  formats: { 'date-time': isDateTime, uri: true, binary: true },
});
const validators = new Map<string, ValidateFunction>();
const publicContract = read('public.json', publicDocument);
const nodeContract = read('node.json', nodeDocument);
/** Headers of any HTTP answer; every other one must stand in the contract. */
const plainHeaders = new Set(
  'access-control-allow-origin cache-control connection content-length content-type date transfer-encoding x-accel-buffering allow'.split(
    ' ',
  ),
);

/**
 * @returns the parsed body of a JSON answer, the text of any other, undefined without one.
 * @throws Error that says where the answer differs from what public.json promises for this operation.
 */
export function expectContract<Body = unknown>(response: Response, operationId: string): Promise<Body> {
  const operation = publicContract.operations.find((each) => each.operationId === operationId);
  if (operation === undefined) throw new Error(`public.json has no operation ${operationId}`);
  return expectAnswer<Body>(publicContract, operation, response);
}

/** The same for an answer of the API to this method and path, whatever operation that is. */
export function expectPublic<Body = unknown>(response: Response, method: string, url: string): Promise<Body> {
  return expectAnswer<Body>(publicContract, operationOf(publicContract, method, url), response);
}

/** The same for what hostd answers below `/guest`. */
export function expectGuest<Body = unknown>(response: Response, method: string, url: string): Promise<Body> {
  return expectAnswer<Body>(nodeContract, operationOf(nodeContract, method, url), response);
}

/** `fetch` to the API that looks at every answer on its way; of what is no JSON the body is left alone. */
export async function checkedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const { method, url } = input instanceof Request ? input : { method: init?.method ?? 'GET', url: String(input) };
  const response = await fetch(input, init);
  const { status, headers } = response;
  await expectPublic(
    isJson(response) ? (response.clone() as Response) : new Response(null, { status, headers }),
    method,
    url,
  );
  return response;
}

/** Checks any value against a component of public.json. */
export function expectComponent(value: unknown, name: string): void {
  const validate = validatorOf(publicContract, name, { $ref: `#/components/schemas/${name}` });
  if (!validate(value)) throw new Error(`${name}: ${ajv.errorsText(validate.errors)}`);
}

async function expectAnswer<Body>(document: Document, operation: Operation, response: Response): Promise<Body> {
  const described = operation.responses[String(response.status)];
  const at = `${operation.operationId} ${response.status}`;
  if (described === undefined)
    throw new Error(`${at}: the contract has no such status. Body: ${await response.text()}`);
  expectHeaders(described, response, at);
  const type = response.headers.get('content-type')?.split(';', 1)[0];
  if (described.content === undefined) return expectNoBody<Body>(response, at);
  const schema = type === undefined ? undefined : described.content[type]?.schema;
  if (schema === undefined) throw new Error(`${at}: the contract has no ${type}`);
  if (!isJson(response)) return (type === 'text/plain' ? await response.text() : undefined) as Body;
  const body: unknown = await response.json();
  const validate = validatorOf(document, `${document.name} ${at} ${type}`, schema);
  if (!validate(body))
    throw new Error(`${at}: ${ajv.errorsText(validate.errors, { dataVar: 'body' })}\n${JSON.stringify(body, null, 2)}`);
  if (type === 'application/problem+json') expectKnownMembers(body as object, at);
  return body as Body;
}

function expectHeaders(described: Answer, { headers }: Response, at: string): void {
  if (headers.get('x-request-id') === null) throw new Error(`${at}: X-Request-Id is missing`);
  const known = new Set(Object.keys(described.headers ?? {}).map((name) => name.toLowerCase()));
  for (const name of headers.keys())
    if (!known.has(name) && !plainHeaders.has(name)) throw new Error(`${at}: the contract has no header ${name}`);
}

/** The schema is open for what may come; what comes today stands in it. */
function expectKnownMembers(body: object, at: string): void {
  const known = publicDocument.components.schemas.Problem.properties;
  for (const name of Object.keys(body))
    if (!(name in known)) throw new Error(`${at}: the contract's Problem has no ${name}`);
}

function isJson(response: Response): boolean {
  return /^application\/(.+\+)?json/.test(response.headers.get('content-type') ?? '');
}

function operationOf(document: Document, method: string, url: string): Operation {
  const { pathname } = new URL(url, 'http://any');
  const fitting = document.operations
    .filter((each) => each.method === method.toLowerCase() && each.pattern.test(pathname))
    .toSorted((a, b) => b.fixedParts - a.fixedParts);
  if (fitting[0] === undefined) throw new Error(`${document.name} has no ${method} ${pathname}`);
  return fitting[0];
}

function read(name: string, document: { paths: object; components: object }): Document {
  ajv.addSchema({ $id: name, components: document.components });
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Pick<Operation, 'operationId' | 'responses'>>).map(([method, each]) => ({
      ...each,
      method,
      pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      fixedParts: path.split('/').filter((part) => !part.startsWith('{')).length,
    })),
  );
  return { name, operations };
}

function validatorOf(document: Document, name: string, schema: object): ValidateFunction {
  let validate = validators.get(name);
  if (validate === undefined) {
    validate = ajv.compile(
      JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', `"${document.name}#/components/`)) as object,
    );
    validators.set(name, validate);
  }
  return validate;
}

async function expectNoBody<Body>(response: Response, at: string): Promise<Body> {
  const text = await response.text();
  if (text !== '') throw new Error(`${at}: the contract has no body, but there is one: ${text.slice(0, 200)}`);
  return undefined as Body;
}

function isDateTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text);
}
