import type { Content, Contract, Operation, Schema } from './contractTypes.ts';
import type { Part } from './renderDocument.ts';
import { escape, kindOf, memberRows, rowOf, sentence, shapeAnchor, table } from './schemaText.ts';

export interface RenderedReference {
  html: string;
  contents: string;
  /** One an operation, as it is searched. */
  parts: Part[];
}

interface Placed {
  method: string;
  path: string;
  operation: Operation;
}

/** Where the viewer tries this operation. */
export type TryAddress = (placed: { tag: string; method: string; path: string }) => string;

/** The contract to read: every operation with what it takes and answers, and every shape that has a name. No script is needed for it. */
export function renderReference(contract: Contract, tryAt: TryAddress): RenderedReference {
  const all = Object.entries(contract.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const groups = contract.tags
    .map((tag) => ({ ...tag, placed: all.filter(({ operation }) => operation.tags.includes(tag.name)) }))
    .filter(({ placed }) => placed.length > 0);
  const sections = groups.map(
    ({ name, description, placed }) =>
      `<h2 id="${name}">${wordOf(name)}</h2><p>${sentence(description)}</p>` +
      placed.map((each) => operationHtml(each, tryAt({ tag: name, ...each }))).join(''),
  );
  const shapes = Object.entries(contract.components.schemas).map(([name, schema]) => shapeHtml(name, schema));
  return {
    html: `${introduction(contract)}${sections.join('')}<h2 id="shapes">Shapes</h2>${shapes.join('')}`,
    contents:
      '<h2>Operations</h2><ul>' +
      groups.map(({ name, placed }) => contentsOf(name, placed)).join('') +
      '<li><a href="#shapes">Shapes</a></ul>',
    parts: all.map(partOf),
  };
}

function introduction({ info }: Contract): string {
  const paragraphs = info.description.split('\n\n').map((text) => `<p>${sentence(text)}</p>`);
  return `<h1>REST reference</h1>${paragraphs.join('')}<p class="actions"><a class="button" href="/reference/try">Try requests here</a>
<a href="/reference/openapi.json">openapi.json</a> (OpenAPI 3.1, version ${escape(info.version)})
<a href="/docs/rest">How to ask</a> <a href="/docs/errors">Errors</a></p>`;
}

function contentsOf(tag: string, placed: readonly Placed[]): string {
  const items = placed.map(
    ({ operation }) => `<li><a href="#${operation.operationId}">${escape(operation.summary)}</a>`,
  );
  return `<li><details><summary>${wordOf(tag)}</summary><ul>${items.join('')}</ul></details>`;
}

function operationHtml({ method, path, operation }: Placed, tryAddress: string): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const about = (description ?? '').split('\n\n').filter((text) => text !== '');
  const rows = parameters.map((each) =>
    rowOf({
      name: each.name,
      isRequired: each.required ?? false,
      schema: each.schema,
      description: `${each.in === 'query' ? '' : `In the ${each.in}. `}${each.description ?? ''}`.trim(),
    }),
  );
  return `<article><h3 id="${operationId}">${escape(summary)}</h3>
<p class="route"><span class="method ${method.toLowerCase()}">${method}</span> <code>${escape(path)}</code> <a href="${escape(tryAddress)}" aria-label="Try ${escape(summary)}">Try</a></p>
${about.map((text) => `<p>${sentence(text)}</p>`).join('')}
${table(['Parameter', 'Kind', 'About'], rows.join(''))}
${bodyHtml(requestBody?.content)}
${answersHtml(responses)}</article>`;
}

function bodyHtml(content: Content | undefined): string {
  const [[type, { schema, example }] = ['', {}]] = Object.entries(content ?? {}) as [string, Content[string]][];
  if (schema === undefined) return type === '' ? '' : `<p>Body: ${escape(type)}</p>`;
  return (
    `<p>Body: ${escape(type)}, ${kindOf(schema)}</p>` +
    table(['Member', 'Kind', 'About'], memberRows(schema)) +
    exampleHtml('Example of the body', example)
  );
}

function answersHtml(responses: Operation['responses']): string {
  const all = Object.entries(responses);
  const good = all.filter(([status]) => status < '400');
  const rows = good.map(([status, { description, content = {} }]) => {
    const kinds = Object.entries(content).map(([type, { schema }]) =>
      type === 'application/json' && schema !== undefined ? kindOf(schema) : escape(type),
    );
    return `<tr><td>${status}<td>${kinds.join(', ')}<td>${sentence(description)}`;
  });
  const [example] = good.flatMap(([, { content = {} }]) => Object.values(content).map((each) => each.example));
  const errors = all
    .filter(([status]) => status >= '400')
    .flatMap(([status, { description }]) =>
      [...description.matchAll(/`([a-z_]+)`/g)].map(([, code]) => `<code>${code}</code> ${status}`),
    );
  return (
    table(['Status', 'Answer', 'About'], rows.join('')) +
    exampleHtml('Example of the answer', example) +
    (errors.length === 0 ? '' : `<p class="errors"><a href="/docs/errors">Errors</a>: ${errors.join(', ')}</p>`)
  );
}

function exampleHtml(word: string, example: unknown): string {
  if (example === undefined) return '';
  const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2);
  return `<details><summary>${word}</summary><pre tabindex="0"><code>${escape(text)}</code></pre></details>`;
}

function shapeHtml(name: string, schema: Schema): string {
  const choices = (schema.anyOf ?? schema.oneOf ?? []).filter(({ properties }) => properties !== undefined);
  const rows = choices.length > 0 ? choices.map(choiceRows).join('') : memberRows(schema);
  const about = schema.description === undefined ? '' : `<p>${sentence(schema.description)}</p>`;
  const kind = rows === '' ? `<p>${kindOf(schema)}</p>` : '';
  return `<h3 id="${shapeAnchor(name)}">${name}</h3>${about}${kind}${table(['Member', 'Kind', 'About'], rows)}`;
}

function choiceRows(choice: Schema): string {
  return `<tr><th colspan="3">${escape(choice.title ?? 'or')}${memberRows(choice)}`;
}

function partOf({ method, path, operation }: Placed): Part {
  const text = [`${method} ${path}`, operation.operationId, operation.description ?? ''].join(' ');
  return { heading: operation.summary, anchor: operation.operationId, text };
}

/** `signIn` → `Sign in` */
function wordOf(tag: string): string {
  const words = tag.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words[0]!.toUpperCase() + words.slice(1);
}
