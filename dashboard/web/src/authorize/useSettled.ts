import { useEffect, useState } from 'preact/hooks';

/**
 * False until the page has been seen and has had the focus for so long: a click that was meant for a window that closed
 * over it hits nothing.
 */
export function useSettled(afterMs: number): boolean {
  const [isSettled, setSettled] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const begin = () => {
      clearTimeout(timer);
      setSettled(false);
      if (document.visibilityState !== 'visible' || !document.hasFocus()) return;
      timer = setTimeout(() => setSettled(true), afterMs);
    };
    const left = new AbortController();
    for (const type of ['focus', 'blur']) addEventListener(type, begin, { signal: left.signal });
    document.addEventListener('visibilitychange', begin, { signal: left.signal });
    begin();
    return () => {
      left.abort();
      clearTimeout(timer);
    };
  }, [afterMs]);
  return isSettled;
}
