import { useStore } from '@nanostores/preact';
import { useEffect, useState } from 'preact/hooks';
import { type MessageName, say } from '../language.ts';
import { session } from '../session.ts';
import { usePageTitle } from '../ui/usePageTitle.ts';
import '../signIn/signIn.css';
import './authorize.css';
import { type AuthorizationRequest, decide, readRequest } from './authorizationRequest.ts';
import { useSettled } from './useSettled.ts';

/** For so long somebody must have had the page before them. */
const seenMs = 1000;

/** Asks whether an MCP client may come in, and with what. */
export function AuthorizePage({ uid }: { uid: string }) {
  usePageTitle(say('authorize.title'));
  const [asked, setAsked] = useState<AuthorizationRequest>();
  const [problem, setProblem] = useState('');
  useEffect(() => {
    if (uid !== 'refused') readRequest(uid).then(setAsked, (error: Error) => setProblem(error.message));
  }, [uid]);
  return (
    <main class="sign-in">
      <div class="sign-in-card authorize">
        <img src="/icon.svg" width="48" height="48" alt="" />
        {uid === 'refused' || problem !== '' ? (
          <Refused detail={problem} />
        ) : asked === undefined ? (
          <p class="loading">{say('loading')}</p>
        ) : (
          <Question uid={uid} asked={asked} />
        )}
      </div>
    </main>
  );
}

function Refused({ detail }: { detail: string }) {
  const notice = useStore(session)?.notice?.detail;
  return (
    <>
      <h1>{say('authorize.refused')}</h1>
      <p class="alert" role="alert">
        {detail || notice || say('authorize.gone')}
      </p>
      <a class="button" href="/app">
        {say('authorize.home')}
      </a>
    </>
  );
}

function Question({ uid, asked }: { uid: string; asked: AuthorizationRequest }) {
  const who = useStore(session)?.user;
  const mine = asked.capabilities.filter(({ allowed }) => allowed).map(({ name }) => name);
  const [ticked, setTicked] = useState<readonly string[]>(mine);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const isSettled = useSettled(seenMs);
  const { client, redirect } = asked;
  const answer = async (allow: readonly string[]) => {
    setBusy(true);
    try {
      location.assign(await decide(uid, { allow, name: client.name }));
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  };
  const place = redirect.isThisMachine ? say('authorize.thisMachine', { origin: redirect.origin }) : redirect.origin;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void answer(ticked);
      }}
    >
      <h1>{say('authorize.question', { name: client.name })}</h1>
      <p>{say('authorize.as', { name: who?.email ?? who?.name ?? '' })}</p>
      <dl class="facts">
        <dt>{say('authorize.client')}</dt>
        <dd>{client.url ?? say('authorize.unverified')}</dd>
        <dt>{say('authorize.backTo')}</dt>
        <dd>{place}</dd>
      </dl>
      <Capabilities asked={asked} ticked={ticked} onTick={setTicked} />
      <p>{say('authorize.trust')}</p>
      {problem !== '' && (
        <p class="alert" role="alert">
          {problem}
        </p>
      )}
      <footer class="row end">
        <button type="button" class="button" disabled={busy} onClick={() => void answer([])}>
          {say('authorize.deny')}
        </button>
        <button type="submit" class="button primary" disabled={busy || !isSettled || ticked.length === 0}>
          {say('authorize.allow')}
        </button>
      </footer>
    </form>
  );
}

function Capabilities(props: {
  asked: AuthorizationRequest;
  ticked: readonly string[];
  onTick: (ticked: readonly string[]) => void;
}) {
  const { asked, ticked, onTick } = props;
  return (
    <fieldset class="field sizes checks">
      <legend>{say('authorize.may')}</legend>
      {asked.capabilities.map(({ name, allowed }) => (
        <label key={name}>
          <input
            type="checkbox"
            name="capability"
            value={name}
            checked={ticked.includes(name)}
            disabled={!allowed}
            onChange={({ currentTarget: { checked } }) =>
              onTick(checked ? [...ticked, name] : ticked.filter((each) => each !== name))
            }
          />
          <span>
            <span>{say(`may.${name}` as MessageName)}</span>
            <small>{allowed ? name : say('authorize.notYours')}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
