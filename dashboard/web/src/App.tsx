import { useStore } from '@nanostores/preact';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { DesktopsPage } from './desktops/DesktopsPage.tsx';
import { language } from './language.ts';
import { connect } from './live.ts';
import { goTo, match, place } from './router.ts';
import { session } from './session.ts';
import { SignInPage } from './signIn/SignInPage.tsx';
import { lazyPart } from './ui/lazyPart.tsx';
import { NotFound } from './ui/NotFound.tsx';
import { Shell } from './ui/Shell.tsx';
import { Toasts } from './ui/Toasts.tsx';

type Page = ComponentType<Record<string, string>>;

/** What is opened by most people first is in the first load; everything else comes when it is opened. */
const DesktopPage = lazyPart(() => import('./desktop/DesktopPage.tsx').then((it) => it.DesktopPage as Page));
const AdminPage = lazyPart(() => import('./admin/AdminPage.tsx').then((it) => it.AdminPage as Page));
const AuthorizePage = lazyPart(() => import('./authorize/AuthorizePage.tsx').then((it) => it.AuthorizePage));
const SettingsPage = lazyPart(() => import('./settings/SettingsPage.tsx').then((it) => it.SettingsPage as Page));

const pages: readonly [pattern: string, page: Page][] = [
  ['/app', DesktopsPage],
  ['/app/desktops/:desktopId', DesktopPage],
  ['/app/desktops/:desktopId/:tab', DesktopPage],
  ['/app/admin/:tab', AdminPage],
  ['/app/settings/:tab', SettingsPage],
];

export function App() {
  useStore(language);
  const path = useStore(place);
  const who = useStore(session);
  const signedIn = who?.user != null;
  const isSignIn = path.startsWith('/sign-in');
  const asked = match('/app/authorize/:uid', path)?.['uid'];
  // Says why, and nothing else.
  const isOpen = isSignIn || asked === 'refused';
  useEffect(() => {
    if (signedIn && asked === undefined) connect();
  }, [signedIn, asked]);
  useEffect(() => {
    if (!signedIn && !isOpen) goTo(`/sign-in?returnTo=${encodeURIComponent(path)}`, { replace: true });
  }, [signedIn, isOpen, path]);
  if (isSignIn) return <SignInPage />;
  if (!signedIn && !isOpen) return null;
  if (asked !== undefined) return <AuthorizePage uid={asked} />;
  const found = pages.map(([pattern, page]) => [match(pattern, path), page] as const).find(([params]) => params);
  if (found === undefined)
    return (
      <Shell>
        <NotFound />
      </Shell>
    );
  const [params, Page] = found;
  return (
    <>
      <Shell>
        <Page {...params} />
      </Shell>
      <Toasts />
    </>
  );
}
