import { useStore } from '@nanostores/preact';
import type { ComponentChildren } from 'preact';
import { say, type MessageName } from '../language.ts';
import { connection } from '../live.ts';
import { place } from '../router.ts';
import { administers, onlyWatches, session, signOut } from '../session.ts';
import { Icon, type IconName } from './Icon.tsx';
import { Menu, MenuItem } from './Menu.tsx';
import { failed } from './Toasts.tsx';

interface Link {
  path: string;
  /** Where it leads who only watches; default: there, too. */
  watchersPath?: string;
  name: MessageName;
  icon: IconName;
  forAdmins?: boolean;
}

const links: readonly Link[] = [
  { path: '/app', name: 'nav.desktops', icon: 'desktop' },
  { path: '/app/admin/nodes', name: 'nav.admin', icon: 'nodes', forAdmins: true },
  { path: '/app/settings/keys', watchersPath: '/app/settings/sessions', name: 'nav.settings', icon: 'settings' },
];

/** What stands around every page. */
export function Shell({ children }: { children: ComponentChildren }) {
  const user = useStore(session)?.user;
  const path = useStore(place);
  const watches = useStore(onlyWatches);
  const isAdmin = useStore(administers);
  const isHere = (link: string) =>
    link === '/app' ? !/^\/app\/(admin|settings)/.test(path) : path.startsWith(link.replace(/\/\w+$/, ''));
  return (
    <div class="shell">
      <a class="skip" href="#main">
        {say('nav.skip')}
      </a>
      <header class="bar">
        <a class="brand" href="/app">
          <img src="/icon.svg" width="26" height="26" alt="" />
          <span>Le Bureau</span>
        </a>
        <nav aria-label={say('nav.label')}>
          {links
            .filter((link) => isAdmin || !link.forAdmins)
            .map((link) => (
              <a
                key={link.path}
                href={(watches && link.watchersPath) || link.path}
                aria-current={isHere(link.path) ? 'page' : undefined}
              >
                <Icon name={link.icon} />
                <span>{say(link.name)}</span>
              </a>
            ))}
        </nav>
        <Menu label={user?.name ?? ''} icon="user">
          <p class="menu-note">
            {user?.email ?? user?.name}
            <br />
            {user && say(`role.${user.role}`)}
          </p>
          <MenuItem onChoose={() => void signOut().catch(failed)}>{say('signOut')}</MenuItem>
        </Menu>
      </header>
      <ConnectionNote />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

function ConnectionNote() {
  const isLost = useStore(connection) === 'lost';
  return (
    <div role="status" class={isLost ? 'note-bar' : ''}>
      {isLost && say('connection.lost')}
    </div>
  );
}
