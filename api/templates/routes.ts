import { toRfc3339 } from '@lebureau/kit/clock';
import { pageOf } from '../http/page.ts';
import { notFound } from '../http/problem.ts';
import { type Route, route } from '../http/route.ts';
import type { Static } from '../http/schema.ts';
import { helloOf, listNodeRows } from '../nodes/store.ts';
import type { Services } from '../services.ts';
import { type Template, getTemplate, listTemplates } from './contract.ts';

/** Templates are what the nodes say they have. */
export function templateRoutes(services: Services): Route[] {
  return [
    route(listTemplates, async ({ query }) => ({
      status: 200,
      body: pageOf(await templatesOf(services), query, 'templates'),
    })),
    route(getTemplate, async ({ params }) => {
      const template = (await templatesOf(services)).find((each) => each.id === params.templateId);
      if (template === undefined) throw notFound('template');
      return { status: 200, body: template };
    }),
  ];
}

async function templatesOf(services: Services): Promise<Static<typeof Template>[]> {
  const byId = new Map<string, Static<typeof Template> & { builtAtMs: number }>();
  for (const row of await listNodeRows(services.database.read)) {
    for (const { id, name, warmSizes, diskMiB, builtAtMs } of helloOf(row)?.templates ?? []) {
      const known = byId.get(id);
      byId.set(id, {
        id,
        name,
        diskMiB,
        builtAtMs,
        builtAt: toRfc3339(builtAtMs),
        warmSizes: [...new Set([...(known?.warmSizes ?? []), ...warmSizes])].toSorted(),
        nodeIds: [...(known?.nodeIds ?? []), row.id],
      });
    }
  }
  const newestFirst = [...byId.values()].toSorted((a, b) => b.builtAtMs - a.builtAtMs);
  return newestFirst.map(({ builtAtMs: _, ...template }) => template);
}
