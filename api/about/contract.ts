import { type Operation, operation } from '../http/operation.ts';
import { t } from '../http/schema.ts';

export const About = t.Object({
  name: t.String(),
  version: t.String(),
  license: t.String(),
  source: t.String({ description: 'Where the source code of this very version is.' }),
  contract: t.String({ description: 'Where the OpenAPI document is.' }),
});

export const getAbout = operation({
  operationId: 'getAbout',
  method: 'GET',
  path: '/v1/about',
  tag: 'about',
  summary: 'Version, licence and source',
  capability: 'none',
  responses: { 200: { about: 'About this service.', body: About } },
});

export const getContract = operation({
  operationId: 'getContract',
  method: 'GET',
  path: '/v1/openapi.json',
  tag: 'about',
  summary: 'This document',
  capability: 'none',
  responses: { 200: { about: 'OpenAPI 3.1.', body: t.Record(t.String(), t.Unknown()) } },
});

export const aboutOperations: readonly Operation[] = [getAbout, getContract];
