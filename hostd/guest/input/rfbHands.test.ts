import { systemClock } from '@lebureau/kit/clock';
import { expect, test } from 'vitest';
import type { Display } from '../display/display.ts';
import { RfbHands } from './rfbHands.ts';

const [ctrl, a] = [0xffe3, 0x61];

test('a chord is pressed in order and let go of in reverse, and what was held stays held', async () => {
  const pressed: string[] = [];
  const client = { key: (keysym: number, down: boolean) => pressed.push(`${down ? '+' : '-'}${keysym.toString(16)}`) };
  const display = { noteInput: () => {}, connected: async () => client } as unknown as Display;
  const hands = new RfbHands(display, systemClock);
  await hands.chord([ctrl, a]);
  expect(pressed.splice(0)).toEqual(['+ffe3', '+61', '-61', '-ffe3']);
  await hands.key(ctrl, true);
  await hands.chord([ctrl, a]);
  expect(pressed).toEqual(['+ffe3', '+61', '-61']);
});
