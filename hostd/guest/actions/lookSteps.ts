import { Fault } from '@lebureau/kit/fault';
import { takeShot, toScreenshot } from '../display/screenshot.ts';
import type { ActionContext, Prepare } from './types.ts';

const pollMs = 150;
const openableSchemes = new Set(['http:', 'https:', 'file:', 'about:']);

export const screenshot: Prepare<'screenshot'> = () => async (context) => {
  await context.hands.sync();
  return { screenshot: toScreenshot(await takeShot(context.display, context.frames, { format: 'webp' })) };
};

export const zoom: Prepare<'zoom'> = (action, map) => {
  const wish = { format: 'webp', region: map.region(action.region), maxEdge: action.maxEdge } as const;
  return async (context) => {
    await context.hands.sync();
    return { screenshot: toScreenshot(await takeShot(context.display, context.frames, wish)) };
  };
};

export const cursorPosition: Prepare<'cursorPosition'> =
  () =>
  async ({ hands }) => {
    await hands.sync();
    const at = await hands.cursor();
    if (!at) throw new Fault('guest_unreachable', 'Where the pointer is, is not known before it was moved once.');
    return at;
  };

export const openUrl: Prepare<'openUrl'> = (action) => {
  const url = URL.canParse(action.url) ? new URL(action.url) : undefined;
  if (!url || !openableSchemes.has(url.protocol)) {
    throw new Fault('invalid_request', 'The url wants to be an http, https, file or about address.');
  }
  return ({ guest }, signal) => guest.openUrl(url.href, signal);
};

export const wait: Prepare<'wait'> =
  (action) =>
  async ({ clock }, signal) => {
    await clock.sleep(action.durationMs, signal);
    signal.throwIfAborted();
  };

export const waitUntil: Prepare<'waitUntil'> = (action) => {
  const { until, text } = action;
  if (until !== 'stable' && text === undefined) {
    throw new Fault('invalid_request', `waitUntil ${until} wants \`text\`.`);
  }
  const timeoutMs = action.timeoutMs ?? 10_000;
  return async (context, signal) => {
    await context.hands.sync();
    switch (until) {
      case 'stable': {
        if (await context.display.quiet({ quietMs: action.quietMs ?? 300, timeoutMs }, signal)) return {};
        break;
      }
      case 'window': {
        const matched = await findWindow(context, { text: text!, timeoutMs }, signal);
        if (matched !== undefined) return { matched };
        break;
      }
      case 'text': {
        const matched = await context.guest.findText(text!, timeoutMs, signal);
        if (matched !== undefined) return { matched };
        break;
      }
    }
    throw new Fault('timeout', `Waiting until ${until} took more than ${timeoutMs} ms.`, {
      hint: 'Look at the screen; wait longer where it is still busy.',
    });
  };
};

async function findWindow(
  { guest, clock }: ActionContext,
  { text, timeoutMs }: { text: string; timeoutMs: number },
  signal: AbortSignal,
): Promise<string | undefined> {
  const wanted = text.toLowerCase();
  const endMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const windows = await guest.windows();
    const found = windows.find(({ title }) => title.toLowerCase().includes(wanted));
    if (found) return found.title;
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0) return undefined;
    await clock.sleep(Math.min(pollMs, leftMs), signal);
  }
}
