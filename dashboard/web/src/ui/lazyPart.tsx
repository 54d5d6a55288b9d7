import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { Icon } from './Icon.tsx';
import { loadPart } from './loadPart.ts';

/** A part of the app whose code comes when it is shown first. Where it does not come, that is said, with a way on. */
export function lazyPart<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | undefined;
  return function LazyPart(props: Props) {
    const [Part, setPart] = useState(() => loaded);
    const [hasFailed, setFailed] = useState(false);
    useEffect(() => {
      if (loaded !== undefined || hasFailed) return;
      void loadPart(load).then(
        (part) => {
          loaded = part;
          setPart(() => part);
        },
        () => setFailed(true),
      );
    }, [hasFailed]);
    if (Part !== undefined) return <Part {...props} />;
    if (hasFailed) return <NotLoaded onAgain={() => setFailed(false)} />;
    return <p class="loading">{say('loading')}</p>;
  };
}

function NotLoaded({ onAgain }: { onAgain: () => void }) {
  useEffect(() => {
    addEventListener('online', onAgain);
    return () => removeEventListener('online', onAgain);
  }, []);
  return (
    <section class="empty" role="alert">
      <p>{say('part.failed')}</p>
      <div class="row">
        <button type="button" class="button primary" onClick={onAgain}>
          <Icon name="restart" />
          {say('part.again')}
        </button>
        <button type="button" class="button" onClick={() => location.reload()}>
          {say('part.reload')}
        </button>
      </div>
    </section>
  );
}
