/** Cookies of the gateway. `__Host-`: only this very host sets and reads them, over TLS (or on this machine). */
export const sessionCookie = '__Host-lb_session';
export const flowCookie = '__Host-lb_flow';
/** Why signing in failed, until the page has shown it. */
export const noticeCookie = '__Host-lb_notice';
/** Of one port of one desktop, on its own origin. */
export const previewCookie = '__Host-lb_preview';
/** Of a browser on its way into one, on that origin: each way has a secret of its own, and goes on beside the others. */
export const previewEntryCookie = (secretHash: string) => `__Host-lb_preview_entry_${secretHash.slice(0, 16)}`;
const ofEntries = /^__Host-lb_preview_entry_[\w-]{16}$/;

const attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax';

/** The value of a cookie; undefined when it is absent or there more than once, which no honest browser sends. */
export function readCookie(request: Request, name: string): string | undefined {
  const found = (request.headers.get('cookie') ?? '')
    .split(';')
    .map((each) => each.trim())
    .filter((each) => each.startsWith(`${name}=`))
    .map((each) => each.slice(name.length + 1));
  return found.length === 1 ? found[0] : undefined;
}

/** Names of the cookies of all ways into a preview that are under way; browsers name the oldest first (RFC 6265 §5.4). */
export function previewEntriesIn(request: Request): string[] {
  const pairs = (request.headers.get('cookie') ?? '').split(';');
  return pairs.map((each) => each.trim().split('=', 1)[0]!).filter((name) => ofEntries.test(name));
}

export function setCookie(name: string, value: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Max-Age=${maxAgeSeconds}; ${attributes}`;
}

export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${attributes}`;
}
