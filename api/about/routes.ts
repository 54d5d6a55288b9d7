import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import { type Route, route } from '../http/route.ts';
import type { Services } from '../services.ts';
import { getAbout, getContract } from './contract.ts';

/** The committed document, the one that clients were generated from. */
const contractPath = fileURLToPath(new URL('../../openapi/public.json', import.meta.url));

export function aboutRoutes(services: Services): Route[] {
  const about = {
    name: 'Le Bureau',
    version: packageJson.version,
    license: packageJson.license,
    source: services.sourceUrl,
    contract: '/v1/openapi.json',
  };
  return [
    route(getAbout, async () => ({ status: 200, body: about })),
    route(getContract, async () => ({ status: 200, text: await Bun.file(contractPath).text() })),
  ];
}
