import { join } from 'node:path';
import { Command } from 'commander';
import { serve } from '#app/serve';
import { loadConfig } from '#base/config/load-config';
import { openLogFile } from '../log-file.ts';
import { createProgress } from '../progress.ts';
import { untilStopped } from '../until-stopped.ts';

export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the gateway in production, from a configuration file.')
    .requiredOption('--config <file>', 'YAML file; see docs/configuration.md')
    .addHelpText('after', '\nExamples:\n  gatehouse serve --config /etc/gatehouse/gatehouse.yaml')
    .action(async ({ config: file }: { config: string }) => {
      const config = loadConfig(file, process.env);
      const stopped = untilStopped();
      const progress = createProgress((text) => process.stderr.write(text));
      const platform = await serve(config, {
        log: openLogFile(join(config.home, 'logs', 'gatehouse.log'), config.log.level),
        path: process.env['PATH'] ?? '',
        step: (title, work) => progress.step(title, work),
      });
      const { grpc, https } = platform.gateway;
      const https_ = https === undefined ? null : `${https.host}:${https.port}`;
      process.stdout.write(`${JSON.stringify({ ready: true, grpc: `${grpc.host}:${grpc.port}`, https: https_ })}\n`);
      await stopped;
      await platform.stop(config.gateway.drainSeconds * 1000);
    });
}
