import type { DesktopData } from '@lebureau/sdk/types';
import { say } from '../language.ts';

/** Status in a word, never by colour alone. */
export function StatusBadge({ desktop }: { desktop: Pick<DesktopData, 'status' | 'ready'> }) {
  const { status, ready } = desktop;
  const isWaking = status === 'running' && !ready;
  const word = isWaking ? 'waking' : status;
  return (
    <span class={`badge ${word}`}>
      <span class="dot" aria-hidden="true" />
      {say(`status.${word}`)}
    </span>
  );
}
