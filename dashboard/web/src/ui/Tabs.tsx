import { useEffect, useRef } from 'preact/hooks';
import { say, type MessageName } from '../language.ts';

/** Links between the parts of a page; each has an address of its own. */
export function Tabs(of: { base: string; tabs: readonly { id: string; name: MessageName }[]; current: string }) {
  const bar = useRef<HTMLElement>(null);
  // On a phone they go beyond the edge; the one that is open is always seen.
  useEffect(() => {
    const current = bar.current?.querySelector<HTMLElement>('[aria-current]');
    if (current) bar.current!.scrollLeft = current.offsetLeft - bar.current!.clientWidth / 2 + current.offsetWidth / 2;
  }, [of.current]);
  return (
    <nav ref={bar} class="tabs" aria-label={say('tabs')}>
      {of.tabs.map(({ id, name }) => (
        <a key={id} href={`${of.base}/${id}`} aria-current={id === of.current ? 'page' : undefined}>
          {say(name)}
        </a>
      ))}
    </nav>
  );
}
