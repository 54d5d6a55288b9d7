import { systemClock } from '@lebureau/kit/clock';
import { silentLog } from '@lebureau/kit/log';
import { expect, onTestFinished, test } from 'vitest';
import { Places } from './place.ts';
import { PreviewDoor } from './previewDoor.ts';

const places = new Places('preview.example', 'https://office.example.org');
const place = { desktopId: `dsk_${'0'.repeat(26)}`, port: 3000 };
const ports = `https://office.example.org/app/desktops/${place.desktopId}/ports?port=3000`;

/** A door to which no cookie and no code is good. */
function world() {
  const door = new PreviewDoor(
    {
      clock: systemClock,
      log: silentLog,
      config: { publicOrigin: 'https://office.example.org' },
      grants: { open: () => Promise.resolve(undefined) },
      entryCodes: { open: () => Promise.resolve(undefined) },
    } as never,
    places,
  );
  onTestFinished(() => door.close());
  return async (path: string) => {
    const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site' };
    const request = new Request(places.originOf(place) + path, { headers });
    const visit = { request, url: new URL(request.url), ipAddress: '192.0.2.1', mayBeSilent: () => {} };
    const answer = await door.answer(visit, place, undefined as never);
    return [answer!.status, answer!.headers.get('location'), answer!.headers.get('set-cookie')];
  };
}

test('a cookie that is none goes, but not on the way in', async () => {
  const go = world();
  expect(await go('/')).toEqual([303, ports, expect.stringMatching(/^__Host-lb_preview=; Max-Age=0;/)]);
  // Any page may link to the way in: what is none there leaves the cookie of who is there.
  expect(await go('/.lebureau/open?ticket=none')).toEqual([400, null, null]);
  expect(await go('/.lebureau/enter?code=none')).toEqual([303, ports, null]);
});
