import { atom, computed } from 'nanostores';

export type Role = 'owner' | 'admin' | 'member' | 'viewer';

export interface Session {
  user: { id: string; name: string; email: string | null; role: Role } | null;
  sessionId: string | null;
  csrfToken: string | null;
  providers: { id: string; name: string }[];
  /** As browsers know this service. */
  publicUrl: string;
  /** What stands behind the name of each port of a desktop; null: browsers see none. */
  previewHost: string | null;
  /** Why the last sign-in failed. */
  notice: { detail: string; hint: string | null } | null;
}

/** Undefined until it was asked for. */
export const session = atom<Session | undefined>(undefined);

/** A viewer is shown what viewers may do; the API and hostd see to it. */
export const onlyWatches = computed(session, (known) => known?.user?.role === 'viewer');

/** Who is shown what admins may do; the API sees to it. */
export const administers = computed(session, (known) => known?.user?.role === 'owner' || known?.user?.role === 'admin');

export async function loadSession(signal?: AbortSignal): Promise<Session> {
  const response = await fetch('/gateway/session', { signal: signal ?? null });
  if (!response.ok) throw new Error(`the session could not be read (${response.status})`);
  const loaded = (await response.json()) as Session;
  session.set(loaded);
  return loaded;
}

export async function signOut(): Promise<void> {
  const csrfToken = session.get()?.csrfToken ?? '';
  const response = await fetch('/gateway/sign-out', { method: 'POST', headers: { 'X-CSRF-Token': csrfToken } });
  if (!response.ok) throw new Error(`signing out failed (${response.status})`);
  location.assign('/sign-in');
}
