import { parseArgs } from 'node:util';
import { systemClock } from '@lebureau/kit/clock';
import { exitConfig } from '@lebureau/kit/config';
import { describeError } from '@lebureau/kit/fault';
import { createLog } from '@lebureau/kit/log';
import { ensureFirstKey } from './bootstrap.ts';
import { type ApiConfig, readApiConfig } from './config.ts';
import { openServices, startApi } from './start.ts';

/** `bun api/main.ts` serves; `bun api/main.ts bootstrap-key --file PATH` makes the first key and ends. */

const drainTimeoutMs = 10_000;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { file: { type: 'string' } } });
  const config = readConfigOrExit();
  const at = { clock: systemClock, log: createLog('api', config.logLevel) };
  if (positionals[0] === 'bootstrap-key') {
    if (values.file === undefined) throw new Error('bootstrap-key wants --file PATH');
    const services = await openServices(config, at);
    const made = await ensureFirstKey(services, values.file);
    await services.database.close();
    console.log(made ? `The first key is in ${values.file}` : 'There is a key already.');
    return;
  }
  const api = await startApi(config, at);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void api.stop(drainTimeoutMs).finally(() => process.exit(0));
    });
  }
}

function readConfigOrExit(): ApiConfig {
  try {
    return readApiConfig();
  } catch (error) {
    console.error(describeError(error));
    process.exit(exitConfig);
  }
}

try {
  await main();
} catch (error) {
  console.error(describeError(error));
  process.exit(1);
}
