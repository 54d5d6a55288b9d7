import { say } from '../language.ts';

export function AdminPage() {
  return <h1>{say('nav.admin')}</h1>;
}
