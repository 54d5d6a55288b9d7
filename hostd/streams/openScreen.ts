import type { Duplex } from 'node:stream';
import type { Clock } from '@lebureau/kit/clock';
import { Fault } from '@lebureau/kit/fault';
import type { StreamEnd } from '@lebureau/kit/streamEnd';
import { ByteReader } from '../guest/display/byteReader.ts';
import { logIn } from '../guest/display/rfbHandshake.ts';
import type { GuestConnection } from '../guest/server/connection.ts';
import { within } from '../limit.ts';
import type { ControlLeases } from './controlLeases.ts';
import { RfbViewer } from './rfbViewer.ts';

const openLimitMs = 10_000;

/** A connection of this viewer's own to the display, logged in for it: no password leaves hostd. */
export async function openScreen(
  guest: GuestConnection,
  wish: { assignmentId: string; mode: 'view' | 'control'; leases: ControlLeases },
): Promise<StreamEnd> {
  const { driver, vmRef, clock } = guest.parts;
  const limit = { clock, limitMs: openLimitMs, code: 'guest_unreachable', doing: 'open the display' };
  const opening = driver.openDisplay(vmRef);
  const { stream, password } = await within(opening, limit).catch((error: unknown) => {
    opening.then((late) => late.stream.destroy()).catch(() => {});
    throw unreachable(error);
  });
  return new RfbViewer({ display: stream, ...(await loggedIn(stream, password, clock)), ...wish, clock });
}

async function loggedIn(
  stream: Duplex,
  password: string | undefined,
  clock: Clock,
): Promise<{ init: Buffer; rest: Buffer }> {
  const reader = new ByteReader(stream);
  const limit = { clock, limitMs: openLimitMs, code: 'guest_unreachable', doing: 'log in to the display' };
  try {
    const init = await within(logIn(stream, reader, password), limit);
    return { init, rest: reader.release() };
  } catch (error) {
    stream.destroy();
    throw unreachable(error);
  }
}

function unreachable(cause: unknown): Fault {
  return new Fault('guest_unreachable', 'The display of the desktop cannot be reached.', { cause });
}
