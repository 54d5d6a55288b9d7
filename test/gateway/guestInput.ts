import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { call, type Service } from '../system/product.ts';

export interface GuestInput {
  /** `down Control_L`, `up button 1 640 400`, in the order in which the desktop got them. */
  heard(): Promise<string[]>;
  forget(): Promise<void>;
  stop(): Promise<void>;
}

const program = readFileSync(join(import.meta.dirname, 'guestInput.py'), 'utf8');

/** A command in a desktop. */
export async function runIn(service: Service, id: string, command: string): Promise<string> {
  const { body } = await call(service, 'POST', { path: `/v1/desktops/${id}/exec`, body: { command } });
  return body.stdout as string;
}

/** Listens in the desktop to what its X server gets from keyboard and mouse. */
export async function listenIn(service: Service, id: string): Promise<GuestInput> {
  const run = (command: string) => runIn(service, id, command);
  await run(
    `pkill -f '^python3.*/[.]input[.]py$'; : > ~/.input.log; cat > ~/.input.py <<'END'\n${program}END\nsetsid python3 ~/.input.py >> ~/.input.log 2> /dev/null < /dev/null &`,
  );
  // The library has words of its own at the beginning.
  const lines = async () =>
    (await run('cat ~/.input.log')).split('\n').filter((line) => /^(down|up|listening)/.test(line));
  await expect.poll(lines, { timeout: 60_000 }).toEqual(['listening']);
  return {
    heard: lines,
    forget: async () => void (await run(': > ~/.input.log')),
    stop: async () => void (await run('rm -f ~/.input.py ~/.input.log; pkill -f "^python3.*/[.]input[.]py$"')),
  };
}
