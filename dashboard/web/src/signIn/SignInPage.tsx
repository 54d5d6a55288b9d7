import { useStore } from '@nanostores/preact';
import { useEffect, useState } from 'preact/hooks';
import { say } from '../language.ts';
import { goTo, match, place } from '../router.ts';
import { loadSession, session } from '../session.ts';
import { usePageTitle } from '../ui/usePageTitle.ts';
import './signIn.css';

/** The part of a link behind `#` never leaves the browser by itself. */
const tokenOf = () => location.hash.slice(1);

export function SignInPage() {
  usePageTitle(say('signIn.title'));
  const path = useStore(place);
  const [token] = useState(tokenOf);
  const isLink = match('/sign-in/link', path) !== undefined && token !== '';
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <img src="/icon.svg" width="48" height="48" alt="" />
        <h1>{say('signIn.title')}</h1>
        {isLink ? <ByLink token={token} /> : <ByProvider />}
      </div>
    </main>
  );
}

function ByLink({ token }: { token: string }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => history.replaceState(null, '', location.pathname), []);
  const enter = async () => {
    setBusy(true);
    const response = await fetch('/gateway/sign-in/link', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token }),
    }).catch(() => undefined);
    if (response?.ok) {
      await loadSession();
      goTo('/app', { replace: true });
      return;
    }
    const said = (await response?.json().catch(() => undefined)) as { detail?: string } | undefined;
    setProblem(said?.detail ?? say('failed.network'));
    setBusy(false);
  };
  return (
    <>
      <p>{say('signIn.byLink')}</p>
      {problem !== '' && (
        <p class="alert" role="alert">
          {problem}
        </p>
      )}
      <button type="button" class="button primary wide" disabled={busy} onClick={() => void enter()}>
        {say('signIn.enter')}
      </button>
    </>
  );
}

function ByProvider() {
  const known = useStore(session);
  const returnTo = new URLSearchParams(location.search).get('returnTo') ?? '/app';
  const providers = known?.providers ?? [];
  return (
    <>
      {known?.notice && (
        <p class="alert" role="alert">
          {known.notice.detail} {known.notice.hint}
        </p>
      )}
      {providers.length === 0 ? (
        <p>{say('signIn.noProvider')}</p>
      ) : (
        providers.map(({ id, name }) => (
          <a key={id} class="button wide" href={`/gateway/sign-in/${id}?returnTo=${encodeURIComponent(returnTo)}`}>
            {say('signIn.with', { name })}
          </a>
        ))
      )}
    </>
  );
}
