/**
 * As the first one it breaks off, so that registering fails (TypeError). One that stays from before, when the origin had
 * workers, is replaced at once by this one, which has no say in what is fetched and takes itself off. An answer that is not
 * 2xx would leave the former one where it is (Service Workers, Update).
 */
const script = `if (!registration.active && !registration.waiting) throw new TypeError('Pages of desktops have no service workers here.');
oninstall = () => skipWaiting();
onactivate = (event) => event.waitUntil(registration.unregister());
`;

/**
 * A service worker of a guest's page would stand between the browser and this origin for good: it would see and answer what
 * belongs to the gateway, its redirects included, and outlive the desktop's page. Browsers say which script is to become one.
 * @returns what becomes none, or undefined
 */
export function noWorker({ headers }: Request): Response | undefined {
  if (!headers.has('service-worker')) return undefined;
  return new Response(script, {
    headers: {
      'Content-Type': 'text/javascript; charset=utf-8',
      'Cache-Control': 'no-store',
      // The former one may have had more than the folder of its script.
      'Service-Worker-Allowed': '/',
      'X-Content-Type-Options': 'nosniff',
    },
  });
}
