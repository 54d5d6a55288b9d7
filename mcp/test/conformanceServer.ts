import {
  McpServer,
  ResourceTemplate,
  type ServerContext,
  type StandardSchemaWithJSON,
  fromJsonSchema,
} from '@modelcontextprotocol/server';

/** The tools, resources and prompts that the official conformance runner asks for by name. */

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==';
const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=';

const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function schema<Args = Record<string, unknown>>(properties: object, more: object = {}): StandardSchemaWithJSON<Args> {
  return fromJsonSchema<Args>({ type: 'object', properties, ...more } as never);
}
const strings = <Name extends string>(...names: Name[]) =>
  schema<Record<Name, string>>(Object.fromEntries(names.map((name) => [name, { type: 'string' }])), {
    required: names,
  });
const nothing = schema({});

export function createConformanceServer(): McpServer {
  const server = new McpServer(
    { name: 'conformance', version: '1.0.0' },
    { capabilities: { tools: {}, logging: {}, prompts: {}, completions: {}, resources: { subscribe: true } } },
  );
  addContentTools(server);
  addRunningTools(server);
  addAskingTools(server);
  addResources(server);
  addPrompts(server);
  return server;
}

function addContentTools(server: McpServer): void {
  const add = (name: string, content: unknown[]) =>
    server.registerTool(name, { description: name, inputSchema: nothing }, () => ({ content: content as never }));
  const image = { type: 'image', data: png, mimeType: 'image/png' };
  add('test_simple_text', [{ type: 'text', text: 'This is a simple text response for testing.' }]);
  add('test_image_content', [image]);
  add('test_audio_content', [{ type: 'audio', data: wav, mimeType: 'audio/wav' }]);
  const embedded = {
    uri: 'test://embedded-resource',
    mimeType: 'text/plain',
    text: 'This is an embedded resource content.',
  };
  add('test_embedded_resource', [{ type: 'resource', resource: embedded }]);
  const mixed = {
    uri: 'test://mixed-content-resource',
    mimeType: 'application/json',
    text: '{"test":"data","value":123}',
  };
  add('test_multiple_content_types', [
    { type: 'text', text: 'Multiple content types test:' },
    image,
    { type: 'resource', resource: mixed },
  ]);
  const $defs = { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } };
  const properties = { name: { type: 'string' }, address: { $ref: '#/$defs/address' } };
  const $schema = 'https://json-schema.org/draft/2020-12/schema';
  const inputSchema = schema(properties, { $schema, $defs, additionalProperties: false });
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'Tool with JSON Schema 2020-12 features', inputSchema },
    () => text('ok'),
  );
}

function addRunningTools(server: McpServer): void {
  const add = (name: string, run: (context: ServerContext) => Promise<ReturnType<typeof text>>) =>
    server.registerTool(name, { description: name, inputSchema: nothing }, (_args, context) => run(context));
  add('test_error_handling', async () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  add('test_tool_with_logging', async ({ mcpReq }) => {
    for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.log('info', line);
      await pause(50);
    }
    return text('done');
  });
  add('test_tool_with_progress', async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      const params = { progressToken: progressToken ?? 0, progress, total: 100 };
      if (progressToken !== undefined) await mcpReq.notify({ method: 'notifications/progress', params });
      await pause(50);
    }
    return text('done');
  });
  add('test_reconnection', async ({ http }) => {
    http?.closeSSE?.();
    await pause(100);
    return text('Reconnected');
  });
}

function addAskingTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Asks the model', inputSchema: strings('prompt') },
    async ({ prompt }, { mcpReq }) => {
      const content = { type: 'text' as const, text: prompt };
      const { content: said } = await mcpReq.requestSampling({ messages: [{ role: 'user', content }], maxTokens: 100 });
      return text(`LLM response: ${'text' in said ? said.text : JSON.stringify(said)}`);
    },
  );
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the user', inputSchema: strings('message') },
    async ({ message }, { mcpReq }) => {
      const properties = {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      };
      const requestedSchema = { type: 'object', properties, required: ['username', 'email'] } as never;
      const { action, content } = await mcpReq.elicitInput({ message, requestedSchema });
      return text(`User response: action: ${action}, content: ${JSON.stringify(content)}`);
    },
  );
  const ask = (name: string, properties: object) =>
    server.registerTool(name, { description: name, inputSchema: nothing }, async (_args, { mcpReq }) => {
      const requestedSchema = { type: 'object', properties } as never;
      const { action, content } = await mcpReq.elicitInput({ message: 'Please answer', requestedSchema });
      return text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`);
    });
  ask('test_elicitation_sep1034_defaults', {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  });
  const titled = (prefix: string, names: string[]) =>
    names.map((title, at) => ({ const: `${prefix}${at + 1}`, title }));
  const options = ['option1', 'option2', 'option3'];
  ask('test_elicitation_sep1330_enums', {
    untitledSingle: { type: 'string', enum: options },
    titledSingle: { type: 'string', oneOf: titled('value', ['First Option', 'Second Option', 'Third Option']) },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
    titledMulti: {
      type: 'array',
      items: { anyOf: titled('value', ['First Choice', 'Second Choice', 'Third Choice']) },
    },
  });
}

function addResources(server: McpServer): void {
  const plain = { description: 'A text', mimeType: 'text/plain' };
  server.registerResource('static-text', 'test://static-text', plain, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
  }));
  server.registerResource(
    'static-binary',
    'test://static-binary',
    { description: 'A picture', mimeType: 'image/png' },
    (uri) => ({
      contents: [{ uri: uri.href, mimeType: 'image/png', blob: png }],
    }),
  );
  server.registerResource('watched', 'test://watched-resource', plain, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Watched' }],
  }));
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource(
    'template',
    template,
    { description: 'By id', mimeType: 'application/json' },
    (uri, { id }) => {
      const body = { id: String(id), templateTest: true, data: `Data for ID: ${String(id)}` };
      return { contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify(body) }] };
    },
  );
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
}

function addPrompts(server: McpServer): void {
  const user = (content: unknown) => ({ role: 'user' as const, content: content as never });
  server.registerPrompt('test_simple_prompt', { description: 'Simple' }, () => ({
    messages: [user({ type: 'text', text: 'This is a simple prompt for testing.' })],
  }));
  const two = strings('arg1', 'arg2');
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'Two arguments', argsSchema: two },
    ({ arg1, arg2 }) => ({
      messages: [user({ type: 'text', text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` })],
    }),
  );
  const one = strings('resourceUri');
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'Embedded', argsSchema: one },
    ({ resourceUri }) => ({
      messages: [
        user({
          type: 'resource',
          resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
        }),
        user({ type: 'text', text: 'Please process the embedded resource above.' }),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'Picture' }, () => ({
    messages: [
      user({ type: 'image', data: png, mimeType: 'image/png' }),
      user({ type: 'text', text: 'Please analyze the image above.' }),
    ],
  }));
  server.server.setRequestHandler('completion/complete', () => ({
    completion: { values: [], total: 0, hasMore: false },
  }));
}
