import { systemClock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import { silentLog } from '@lebureau/kit/log';
import { expect, onTestFinished, test } from 'vitest';
import { Places } from './place.ts';
import { PreviewDoor } from './previewDoor.ts';

const places = new Places('preview.example', 'https://office.example.org');
const place = { desktopId: `dsk_${'0'.repeat(26)}`, port: 3000 };
const ports = `https://office.example.org/app/desktops/${place.desktopId}/ports?port=3000`;

/** A door to which no cookie is good, and a ticket only when it is said. */
function world(refusal?: Fault) {
  const door = new PreviewDoor(
    {
      clock: systemClock,
      log: silentLog,
      config: { publicOrigin: 'https://office.example.org' },
      grants: { open: () => Promise.resolve(undefined), seal: () => Promise.resolve('sealed'), lifeSeconds: 60 },
      calls: { enterPreview: () => (refusal ? Promise.reject(refusal) : Promise.resolve({})) },
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
const entering = `/.lebureau/open?ticket=lbt_${'a'.repeat(43)}`;

test('a link with a ticket that is none leaves the cookie of who is there', async () => {
  const go = world(new Fault('ticket_refused', 'It is none.'));
  expect(await go(entering)).toEqual([303, ports, null]);
});

test('a ticket becomes a cookie, and a cookie that is none goes', async () => {
  const go = world();
  expect(await go(entering)).toEqual([303, '/', expect.stringMatching(/^__Host-lb_preview=sealed; Max-Age=60;/)]);
  expect(await go('/')).toEqual([303, ports, expect.stringMatching(/^__Host-lb_preview=; Max-Age=0;/)]);
});
