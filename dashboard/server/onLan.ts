import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@lebureau/kit/clock';
import type { GatewayConfig } from './config.ts';
import { lanAddress } from './lanAddress.ts';
import { lanCertificate } from './lanCertificate.ts';

/** With `LEBUREAU_LAN=on`: all addresses, TLS, and known by the address of the local network. */
export async function onLan(config: GatewayConfig): Promise<GatewayConfig> {
  if (!config.lan) return config;
  const address = lanAddress();
  const { certificate, key, fingerprint } = await lanCertificate(config.home, address, systemClock.nowMs());
  const { port } = config.listen;
  const publicOrigin = `https://${address}:${port}`;
  // For the launcher, which shows it to people.
  writeFileSync(join(config.home, 'lan', 'address.json'), JSON.stringify({ publicOrigin, fingerprint }));
  return {
    ...config,
    listen: { hostname: '0.0.0.0', port },
    publicOrigin,
    tls: { certificate, key },
  };
}
