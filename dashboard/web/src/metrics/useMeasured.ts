import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { client, dataOf } from '../client.ts';
import { onResync } from '../live.ts';
import { failed } from '../ui/Toasts.tsx';
import { type Measured, tailFrom, withTail } from './measured.ts';
import type { Span } from './spans.ts';

/** What a desktop used in the time up to now, going on while it is looked at. */
export function useMeasured(desktopId: string, span: Span): Measured | undefined {
  const [measured, setMeasured] = useState<Measured>();
  const known = useRef<Measured | undefined>(undefined);
  const keep = useCallback((value: Measured | undefined) => {
    known.current = value;
    setMeasured(value);
  }, []);
  useEffect(() => {
    let isOver = false;
    keep(undefined);
    const whole = async () => {
      const from = new Date(Date.now() - span.seconds * 1000).toISOString();
      const read = await readMeasured(desktopId, { from, stepSeconds: span.stepSeconds });
      if (!isOver) keep(read);
    };
    const goOn = async () => {
      const { current } = known;
      if (current === undefined || document.visibilityState === 'hidden') return;
      // Who comes back after a while has missed more than a tail.
      if (Date.now() - Date.parse(current.to) > tailMaxSteps * current.stepSeconds * 1000) return whole();
      const tail = await readMeasured(desktopId, { from: tailFrom(current), stepSeconds: current.stepSeconds });
      if (!isOver && known.current === current) keep(withTail(current, tail, span.seconds));
    };
    whole().catch(failed);
    // A network that went is said by the page itself.
    const timer = setInterval(() => void goOn().catch(() => undefined), span.everyMs);
    const end = onResync(() => void whole().catch(() => undefined));
    return () => {
      isOver = true;
      clearInterval(timer);
      end();
    };
  }, [desktopId, span, keep]);
  return measured;
}

const tailMaxSteps = 30;

function readMeasured(desktopId: string, query: { from: string; stepSeconds: number }): Promise<Measured> {
  return dataOf(client.GET('/v1/desktops/{desktopId}/metrics', { params: { path: { desktopId }, query } }));
}
