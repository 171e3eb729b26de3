import { join } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '#base/config/load-config';
import { openLogFile } from '../log-file.ts';
import { machineOf } from '../machine.ts';
import { createProgress } from '../progress.ts';
import { listenForStop } from '../until-stopped.ts';
import { gatewayCommand } from './gateway-process.ts';

/** Whatever still keeps the process after its end is cut off. */
const EXIT_MS = 3000;

export function serveCommand(): Command {
  return new Command('serve')
    .description('Run the gateway in production, from a configuration file.')
    .requiredOption('--config <file>', 'YAML file; see docs/configuration.md')
    .addHelpText(
      'after',
      `
Prints one JSON line when ready. Changes of the file and of the files that it names are applied while it runs,
also at SIGHUP; SIGTERM drains and stops. With \`gateway.processes\` SIGUSR2 restarts them one by one.

Examples:
  gatehouse serve --config /etc/gatehouse/gatehouse.yaml
  kill -HUP <pid>     read the configuration again now
  kill -USR2 <pid>    restart the gateway processes, one by one`,
    )
    .action(({ config: file }: { config: string }) => runServe(file));
}

async function runServe(configFile: string): Promise<void> {
  process.umask(0o077);
  const load = () => loadConfig(configFile, process.env);
  const config = load();
  const stop = listenForStop(process.env);
  const progress = createProgress((text) => process.stderr.write(text), stop);
  const { log, setLevel } = openLogFile(join(config.home, 'logs', 'gatehouse.log'), config.log.level);
  const { serve } = await import('#app/serve');
  let reload: () => void = () => undefined;
  let restart: () => void = () => undefined;
  // From the start: without a listener the signal would end the process.
  process.on('SIGHUP', () => reload());
  process.on('SIGUSR2', () => restart());
  const serving = await serve({
    ...machineOf(process.env),
    configFile,
    load,
    config,
    log,
    gatewayCommand: gatewayCommand(),
    step: (title, work) => progress.step(title, work),
    onReload: ({ log: { level } }) => setLevel(level),
  });
  stop.started();
  reload = () => void serving.reload();
  restart = () => void serving.restartGateway();
  const { grpc, https } = serving.platform.gateway;
  const ready = {
    ready: true,
    grpc: `${grpc.host}:${grpc.port}`,
    https: https === undefined ? null : `${https.host}:${https.port}`,
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  await stop.asked;
  await serving.stop(serving.config().gateway.drainSeconds * 1000);
  setTimeout(() => process.exit(), EXIT_MS).unref();
}
