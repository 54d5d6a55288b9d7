import { problem } from '../problem.ts';

/**
 * A service worker of a guest's page would stand between the browser and this origin for good: it would see and answer what
 * belongs to the gateway, its redirects included, and outlive the desktop's page. Browsers say which script is to become one.
 * @returns the refusal, or undefined
 */
export function refuseWorker({ headers }: Request): Response | undefined {
  if (!headers.has('service-worker')) return undefined;
  return problem(403, 'service_worker_refused', 'Pages of desktops have no service workers here.');
}
