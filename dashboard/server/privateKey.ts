import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@lebureau/kit/clock';

const lookEveryMs = 50;
const waitMsMax = 30_000;

/**
 * The private key that the API makes in its home folder at its first start, PEM. The two programs may be started in any
 * order, and together.
 * @throws Error with the way out when there is none within 30 s
 */
export async function readPrivateKey(home: string, clock: Clock): Promise<string> {
  const path = join(home, 'gateway-key');
  const beganMs = clock.monotonicMs();
  for (;;) {
    const text = textOf(path);
    if (text !== undefined) return text;
    if (clock.monotonicMs() - beganMs >= waitMsMax)
      throw new Error(
        `There is no ${path}. The API on this machine makes it at its first start: is it running with the same LEBUREAU_HOME? On a machine of its own, the gateway gets its key by LEBUREAU_GATEWAY_KEY.`,
      );
    await clock.sleep(lookEveryMs);
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
