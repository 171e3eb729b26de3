import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { GatewayCommand } from '#app/processes/gateway-process';
import { readVersion } from '../version.ts';

const NAME = 'gateway-process';

/** One of the processes that `up` and `serve` start: hidden, since nobody else has a use for it. */
export function gatewayProcessCommand(): Command {
  return new Command(NAME)
    .description('Serve connections that another process accepts; started by `up` and `serve`.')
    .requiredOption('--home <dir>', 'whose process it is, for whoever lists processes')
    .requiredOption('--slot <number>', 'its place among them')
    .requiredOption('--of <version>', 'the version that started it')
    .action(async ({ of }: { of: string }) => {
      // They speak in a form of their version, and a newer one may change the directory under the older.
      const version = readVersion();
      if (of !== version) {
        throw new Error(
          `version ${version} was installed over ${of}, which runs: stop it and start it again`,
        );
      }
      process.umask(0o077);
      const { runGatewayProcess } = await import('#app/processes/run-gateway-process');
      await runGatewayProcess();
    });
}

/** This program, as a gateway process. */
export function gatewayCommand(): GatewayCommand {
  // Run from source or from the build: the program has the ending that this file has.
  const file = import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js';
  return { module: fileURLToPath(new URL(file, import.meta.url)), args: [NAME, '--of', readVersion()] };
}
