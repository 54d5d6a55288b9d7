import { idPattern } from '@lebureau/kit/id';
import { listOf, pageQuery } from '../http/page.ts';
import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';

export const Template = t.Object({
  id: t.String({ pattern: idPattern('tpl') }),
  name: t.String(),
  diskMiB: t.Integer(),
  builtAt: t.String({ format: 'date-time' }),
  warmSizes: t.Array(t.String(), { description: 'Sizes that start warm on some node, as `${vcpus}x${memoryMiB}`.' }),
  nodeIds: t.Array(t.String()),
});
export const TemplateList = listOf(Template, 'Newest first.');

const base = { tag: 'templates', bucket: 'control', capability: 'desktop:read' } as const;

export const listTemplates = operation({
  ...base,
  operationId: 'listTemplates',
  method: 'GET',
  path: '/v1/templates',
  summary: 'List templates',
  query: t.Object(pageQuery),
  responses: { 200: { about: 'One page.', body: TemplateList } },
});

export const getTemplate = operation({
  ...base,
  operationId: 'getTemplate',
  method: 'GET',
  path: '/v1/templates/:templateId',
  summary: 'Get a template',
  params: t.Object({ templateId: t.String({ pattern: idPattern('tpl') }) }),
  responses: { 200: { about: 'The template.', body: Template } },
  problems: ['not_found'],
});

export const templateOperations: readonly Operation[] = [listTemplates, getTemplate];
