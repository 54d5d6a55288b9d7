import publicDocument from '@lebureau/openapi/public.json' with { type: 'json' };
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** Every answer that a test sees goes through here, so that the published contract and the service cannot drift apart. */

interface Described {
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  formats: { 'date-time': isDateTime, uri: true, binary: true },
});
ajv.addSchema({ $id: 'public.json', components: publicDocument.components });

const operations = new Map<string, Described>();
for (const methods of Object.values(publicDocument.paths)) {
  for (const operation of Object.values(methods as Record<string, Described & { operationId: string }>))
    operations.set(operation.operationId, operation);
}
const validators = new Map<string, ValidateFunction>();

/**
 * @returns the parsed body of a JSON answer, the text of any other, undefined without one.
 * @throws Error that says where the answer differs from what public.json promises for this operation.
 */
export async function expectContract<Body = unknown>(response: Response, operationId: string): Promise<Body> {
  const operation = operations.get(operationId);
  if (operation === undefined) throw new Error(`public.json has no operation ${operationId}`);
  const described = operation.responses[String(response.status)];
  const at = `${operationId} ${response.status}`;
  if (described === undefined)
    throw new Error(`${at}: the contract has no such status. Body: ${await response.text()}`);
  if (response.headers.get('x-request-id') === null) throw new Error(`${at}: X-Request-Id is missing`);
  const type = response.headers.get('content-type')?.split(';', 1)[0];
  if (described.content === undefined) return expectNoBody<Body>(response, at);
  const schema = type === undefined ? undefined : described.content[type]?.schema;
  if (schema === undefined) throw new Error(`${at}: the contract has no ${type}`);
  if (!type!.endsWith('json')) return undefined as Body;
  const body: unknown = await response.json();
  const validate = validatorOf(`${at} ${type}`, schema);
  if (!validate(body))
    throw new Error(`${at}: ${ajv.errorsText(validate.errors, { dataVar: 'body' })}\n${JSON.stringify(body, null, 2)}`);
  return body as Body;
}

/** Checks any value against a component of public.json. */
export function expectComponent(value: unknown, name: string): void {
  const validate = validatorOf(name, { $ref: `#/components/schemas/${name}` });
  if (!validate(value)) throw new Error(`${name}: ${ajv.errorsText(validate.errors)}`);
}

function validatorOf(name: string, schema: object): ValidateFunction {
  let validate = validators.get(name);
  if (validate === undefined) {
    validate = ajv.compile(
      JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"public.json#/components/')) as object,
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
