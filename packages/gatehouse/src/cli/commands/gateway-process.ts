import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { GatewayCommand } from '#app/processes/gateway-process';

const NAME = 'gateway-process';

/** One of the processes that `up` and `serve` start: hidden, since nobody else has a use for it. */
export function gatewayProcessCommand(): Command {
  return new Command(NAME)
    .description('Serve connections that another process accepts; started by `up` and `serve`.')
    .requiredOption('--home <dir>', 'whose process it is, for whoever lists processes')
    .requiredOption('--slot <number>', 'its place among them')
    .action(async () => {
      process.umask(0o077);
      const { runGatewayProcess } = await import('#app/processes/run-gateway-process');
      await runGatewayProcess();
    });
}

/** This program, as a gateway process. */
export function gatewayCommand(): GatewayCommand {
  // Run from source or from the build: the program has the ending that this file has.
  const file = import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js';
  return { module: fileURLToPath(new URL(file, import.meta.url)), args: [NAME] };
}
