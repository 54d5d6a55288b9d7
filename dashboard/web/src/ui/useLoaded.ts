import { useCallback, useEffect, useState } from 'preact/hooks';
import { failed } from './Toasts.tsx';

/** Reads once, and again when told. What was read before stays until then. */
export function useLoaded<Value>(read: () => Promise<Value>): { value: Value | undefined; reload: () => void } {
  const [value, setValue] = useState<Value>();
  const reload = useCallback(() => void read().then(setValue).catch(failed), []);
  useEffect(reload, [reload]);
  return { value, reload };
}
