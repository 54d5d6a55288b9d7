import { say, type MessageName } from '../language.ts';

/** Links between the parts of a page; each has an address of its own. */
export function Tabs(of: { base: string; tabs: readonly { id: string; name: MessageName }[]; current: string }) {
  return (
    <nav class="tabs" aria-label={say('tabs')}>
      {of.tabs.map(({ id, name }) => (
        <a key={id} href={`${of.base}/${id}`} aria-current={id === of.current ? 'page' : undefined}>
          {say(name)}
        </a>
      ))}
    </nav>
  );
}
