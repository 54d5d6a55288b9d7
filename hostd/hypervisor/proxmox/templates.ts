import { Fault } from '@lebureau/kit/fault';
import type { TemplateSeen } from '../driver.ts';
import { readTemplateMarker, type TemplateMarker } from './marker.ts';
import type { VmRecord } from './records.ts';
import type { Site } from './site.ts';

export interface PveTemplate {
  marker: TemplateMarker;
  record: VmRecord;
}

/** Templates of this node that carry our marker. */
export async function templatesOf(site: Site): Promise<PveTemplate[]> {
  const found: PveTemplate[] = [];
  for (const vm of await site.lists.ofNode()) {
    if (!vm.isTemplate) continue;
    const record = await site.records.recent(vm);
    const description = record.config.description;
    const marker = readTemplateMarker(description === undefined ? undefined : String(description));
    if (marker !== undefined) found.push({ marker, record });
  }
  return found;
}

export async function templateSeen(site: Site): Promise<TemplateSeen[]> {
  const all = await templatesOf(site);
  return all.map(({ marker: { templateId: id, name, diskMiB, builtAtMs } }) => ({
    id,
    name,
    diskMiB,
    builtAtMs,
    warmSizes: [],
  }));
}

/** @throws Fault `template_missing` */
export async function requireTemplate(site: Site, templateId: string): Promise<PveTemplate> {
  const found = (await templatesOf(site)).find(({ marker }) => marker.templateId === templateId);
  if (found !== undefined) return found;
  throw new Fault('template_missing', `Node ${site.settings.node} has no template ${templateId}.`, {
    hint: 'Run `bun hostd/main.ts doctor --import-template`.',
  });
}
