import { systemClock as clock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import { Sealed } from '../sealed.ts';
import type { Visit } from '../visit.ts';
import { Places } from './place.ts';
import { PreviewEntry } from './previewEntry.ts';

const publicOrigin = 'https://office.example.org';
const places = new Places('preview.example', publicOrigin);
const place = { desktopId: `dsk_${'0'.repeat(26)}`, port: 3000 };
const ticket = `lbt_${'a'.repeat(43)}`;
const openUrl = `${places.originOf(place)}/.lebureau/open?ticket=${ticket}`;

/** A browser that keeps the cookies of the preview's origin, and who is signed in in it. */
function world() {
  const sealed = (byte: number) => new Sealed<never>(new Uint8Array(32).fill(byte), { clock, lifeSeconds: 100 });
  const entry = new PreviewEntry(
    {
      clock,
      config: { publicOrigin },
      grants: sealed(1),
      entryCodes: sealed(2),
      sessions: { of: () => Promise.resolve({ session: { id: 'ses_1' } }) },
      calls: { enterPreview: () => Promise.resolve({ userId: 'usr_1', sessionId: 'ses_1' }) },
    } as never,
    places,
  );
  const jar = new Map<string, string>();
  const go = async (address: string) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const url = new URL(address);
    const headers = { 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate', cookie };
    const visit = { request: new Request(address, { headers }), url, ipAddress: '192.0.2.1' } as Visit;
    const step = { '/.lebureau/open': 'begin', '/.lebureau/enter': 'enter' } as const;
    const name = step[url.pathname as keyof typeof step] as 'begin' | 'enter' | undefined;
    const answer = await (name === undefined ? entry.admit(visit) : entry[name](visit, place));
    for (const each of answer.headers.getSetCookie()) {
      const [, key, value] = /^([^=]+)=([^;]*)/.exec(each)!;
      if (/Max-Age=0;/.test(each)) jar.delete(key!);
      else jar.set(key!, value!);
    }
    return answer.headers.get('location')!;
  };
  return { jar, go };
}
const names = (jar: Map<string, string>) => [...jar.keys()];

test('two tabs that enter one port at once both come in, and nothing of the way stays', async () => {
  const { jar, go } = world();
  const codes = [];
  for (const admit of [await go(openUrl), await go(openUrl)]) codes.push(await go(admit));
  for (const code of codes) expect(await go(code)).toBe('/');
  expect(names(jar)).toEqual(['__Host-lb_preview']);
  // Neither code is good again.
  for (const code of codes) expect(await go(code)).toContain(`${publicOrigin}/app/`);
});

test('each way has a secret of its own, and a link from elsewhere breaks none that is under way', async () => {
  const { jar, go } = world();
  const code = await go(await go(openUrl));
  for (let round = 0; round < 7; round++) await go(openUrl);
  expect(new Set(jar.values()).size).toBe(8);
  expect(await go(code)).toBe('/');
  for (let round = 0; round < 50; round++) await go(openUrl);
  expect(names(jar).filter((name) => name.startsWith('__Host-lb_preview_entry_'))).toHaveLength(8);
  // The newest are those that stay.
  expect(await go(await go(await go(openUrl)))).toBe('/');
});

test('a code counts only where the secret is that it was given for', async () => {
  const [hers, his] = [world(), world()];
  const code = await hers.go(await hers.go(openUrl));
  await his.go(openUrl);
  const [secret] = his.jar.values();
  his.jar.set(names(hers.jar)[0]!, secret!);
  expect(await his.go(code)).toContain(`${publicOrigin}/app/`);
  expect(names(his.jar)).not.toContain('__Host-lb_preview');
  expect(await hers.go(code)).toBe('/');
});
