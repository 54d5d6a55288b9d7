import { X509Certificate } from 'node:crypto';
import { getDomain } from 'tldts';
import type { GatewayConfig } from '../config.ts';

/**
 * The domain below which each port of each desktop is an origin of its own. Pages of guests must be another *site* than the
 * dashboard: within one site browsers send cookies along, and a page can set cookies for the domain that both share.
 * @throws Error that says what to set
 */
export function previewDomainOf(
  config: Pick<GatewayConfig, 'previewDomain' | 'publicOrigin' | 'tls' | 'lan'>,
): string | undefined {
  const { previewDomain: domain, publicOrigin, tls, lan } = config;
  if (domain === undefined) return undefined;
  const dashboard = new URL(publicOrigin).hostname;
  if (siteOf(domain) === siteOf(dashboard))
    throw new Error(
      `LEBUREAU_PREVIEW_DOMAIN: ${domain} belongs to the same site as the dashboard (${dashboard}), so pages of desktops could use its cookies. Name a domain that is registered for previews alone, such as desks-preview.example, and let *.${domain} lead here.`,
    );
  if (lan)
    throw new Error(
      'LEBUREAU_PREVIEW_DOMAIN: the certificate that LEBUREAU_LAN makes is for an address and covers no names below a domain. Set LEBUREAU_TLS_CERTIFICATE instead.',
    );
  if (tls !== undefined && new X509Certificate(tls.certificate).checkHost(`1-a.${domain}`) === undefined)
    throw new Error(`LEBUREAU_PREVIEW_DOMAIN: the certificate does not cover *.${domain}.`);
  return domain;
}

/** What browsers take as one site: the domain that somebody can register. A name that none can is one by itself. */
function siteOf(hostname: string): string {
  return getDomain(hostname, { allowPrivateDomains: true }) ?? hostname;
}
