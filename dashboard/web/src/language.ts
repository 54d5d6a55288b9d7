import { atom } from 'nanostores';
import en from '../messages/en.json';
import { loadPart } from './ui/loadPart.ts';

export type MessageName = keyof typeof en;
export const languages = { en: 'English', fr: 'Français' } as const;
export type Language = keyof typeof languages;

const storageName = 'lb-language';
const messages = atom<Record<string, string>>(en);
export const language = atom<Language>('en');

/** English is in the first load; another language comes before anything is shown. */
export async function chooseLanguage(wanted?: Language): Promise<void> {
  if (wanted !== undefined) localStorage.setItem(storageName, wanted);
  const stored = localStorage.getItem(storageName) ?? navigator.language.slice(0, 2);
  const chosen: Language = stored === 'fr' ? 'fr' : 'en';
  messages.set(chosen === 'fr' ? (await loadPart(() => import('../messages/fr.json'))).default : en);
  document.documentElement.lang = chosen;
  language.set(chosen);
}

/** The sentence of this name, with its `{places}` filled. */
export function say(name: MessageName, values: Record<string, string | number> = {}): string {
  const text = messages.get()[name] ?? en[name];
  return text.replaceAll(/\{(\w+)\}/g, (_, place: string) => String(values[place] ?? ''));
}

/** A date and time, short. */
export function sayTime(rfc3339: string): string {
  return new Intl.DateTimeFormat(language.get(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(rfc3339));
}

/** "3 days ago". */
export function sayAge(rfc3339: string, nowMs = Date.now()): string {
  const seconds = (Date.parse(rfc3339) - nowMs) / 1000;
  const [unit, size] = units.find(([, each]) => Math.abs(seconds) >= each) ?? units.at(-1)!;
  return new Intl.RelativeTimeFormat(language.get(), { numeric: 'auto' }).format(Math.round(seconds / size), unit);
}

const units = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const;
