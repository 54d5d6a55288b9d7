import { systemClock } from '@lebureau/kit/clock';
import { exitConfig } from '@lebureau/kit/config';
import { describeError } from '@lebureau/kit/fault';
import { createLog } from '@lebureau/kit/log';
import { readGatewayConfig } from './config.ts';
import { onLan } from './onLan.ts';
import { startGateway } from './start.ts';

try {
  const config = await onLan(await readGatewayConfig(systemClock));
  const log = createLog('gateway', config.logLevel);
  const running = startGateway(config, { clock: systemClock, log });
  const stop = () =>
    void running.stop().then(() => {
      log.info('gateway stopped', {});
      process.exit(0);
    });
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  console.error(describeError(error));
  process.exit(exitConfig);
}
