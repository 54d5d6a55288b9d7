import { atom } from 'nanostores';

export const looks = ['system', 'light', 'dark'] as const;
export type Look = (typeof looks)[number];

const storageName = 'lb-look';
export const look = atom<Look>(read());

function read(): Look {
  const stored = localStorage.getItem(storageName);
  return looks.find((each) => each === stored) ?? 'system';
}

export function chooseLook(chosen: Look = look.get()): void {
  localStorage.setItem(storageName, chosen);
  look.set(chosen);
  if (chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
}
