import { say } from '../language.ts';

export function SettingsPage() {
  return <h1>{say('nav.settings')}</h1>;
}
