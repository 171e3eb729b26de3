import { ConfigError } from '#base/config/config-error';
import type { Config } from '#base/config/schema';
import { systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { takeProcessLock } from '#base/runtime/process-lock';
import { makePrivateFolder } from '#base/runtime/safe-file';
import { requireFree } from './choose-port.ts';
import { homeAt } from './home.ts';
import { ensureServerCertificate } from './home-certificates.ts';
import type { Machine, Step } from './open-engine.ts';
import { databaseOf, engineOf, filesOf, keyLivesOf, kmsSpecsOf, namespacesOf } from './platform-of-config.ts';
import type { GatewayCommand } from './processes/gateway-process.ts';
import { identityFaults, namespaceFaults, reload, warnOfHosts } from './reload.ts';
import { NamespacesRefused, type Platform, type PlatformOptions, startPlatform } from './start-platform.ts';
import { signatureOf, watchFiles } from './watch-files.ts';

export interface ServeOptions extends Machine {
  readonly configFile: string;
  /** Reads and checks `configFile`. @throws ConfigError. */
  readonly load: () => Config;
  /** What `load` gave first. */
  readonly config: Config;
  readonly log: Log;
  readonly step: Step;
  /** The program of each gateway process, where there are to be several. */
  readonly gatewayCommand?: GatewayCommand;
  /** Told of each configuration that was read again and is in force. */
  readonly onReload?: (config: Config) => void;
}

export interface Serving {
  readonly platform: Platform;
  /** The configuration in force. */
  config(): Config;
  /** Reads the configuration again, as at SIGHUP. Never rejects: log and audit chain say how it went. */
  reload(): Promise<void>;
  /** Restarts the gateway processes one by one, as at SIGUSR2. Never rejects, as `reload`. */
  restartGateway(): Promise<void>;
  stop(drainMs: number): Promise<void>;
}

/** How long after a reload that could not be stored it is tried again. */
const RETRY_MS = 5000;

/**
 * Starts the platform that a configuration describes, and follows its files.
 * @throws ConfigError where the files that it names cannot be used.
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { config, log } = options;
  const since = await signatureOf([options.configFile, ...filesOf(config)]);
  const home = homeAt(config.home);
  const faults = await identityFaults(config, systemClock);
  if (faults.length > 0) throw new ConfigError(options.configFile, faults);
  await makePrivateFolder(home.root);
  const lock = await takeProcessLock(
    home.root,
    (pid) => `another gatehouse process (${pid}) runs on ${home.root}; stop it, or give each its own home`,
  );
  try {
    const platform = await start(options);
    await warnOfHosts(config, log, systemClock);
    const reloads = followConfig(options, platform, since);
    return {
      platform,
      config: reloads.config,
      reload: reloads.reload,
      async restartGateway() {
        const drainMs = reloads.config().gateway.drainSeconds * 1000;
        // The fleet has said why.
        await platform.restartGateway(drainMs).catch(() => undefined);
      },
      async stop(drainMs) {
        await reloads.stop();
        await platform.stop(drainMs);
        await lock.release();
        log.info('stopped');
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function start(options: ServeOptions): Promise<Platform> {
  const { config } = options;
  const home = homeAt(config.home);
  const { grpc, https } = config.gateway;
  await requireFree('gateway.grpc.address', grpc.address);
  if (https !== undefined) await requireFree('gateway.https.address', https.address);
  await ensureServerCertificate(home, config, systemClock.now());
  try {
    return await startPlatform({
      ...options,
      home,
      domain: config.domain,
      region: config.region,
      database: await databaseOf(config, home.directoryFile),
      engine: engineOf(config),
      nexusEnabled: config.engine.nexus.enabled,
      nexusEndpoints: config.engine.nexus.endpoints,
      namespaces: await namespacesOf(config),
      grpc: config.gateway.grpc.address,
      https: config.gateway.https?.address,
      certificateFile: config.gateway.certificateFile,
      keyFile: config.gateway.keyFile,
      allowTls12: config.gateway.allowTls12,
      kms: kmsSpecsOf(config, home.kmsKeyFile),
      keyLives: keyLivesOf(config),
      limits: config.limits,
      ...processesOf(config, options.gatewayCommand),
    });
  } catch (error) {
    if (error instanceof NamespacesRefused) throw new ConfigError(options.configFile, namespaceFaults(error));
    throw error;
  }
}

function processesOf(
  { gateway: { processes: count } }: Config,
  command: GatewayCommand | undefined,
): Pick<PlatformOptions, 'processes'> {
  if (count === 1) return {};
  if (command === undefined) throw new Error('gateway.processes: several need the program of a process');
  return { processes: { count, command } };
}

/** Reloads one at a time: at a changed file, when told, and again after a failure that may pass. */
function followConfig(
  options: ServeOptions,
  platform: Platform,
  since: string,
): { config(): Config; reload(): Promise<void>; stop(): Promise<void> } {
  const { log, load, configFile, config: started } = options;
  let config = started;
  let running = Promise.resolve();
  let retry: NodeJS.Timeout | undefined;
  let stopped = false;
  const once = async (): Promise<void> => {
    if (stopped) return;
    clearTimeout(retry);
    const outcome = await reload({ platform, log, load, configFile, started });
    if (outcome === 'retry' && !stopped) {
      retry = setTimeout(() => void reloadNow(), RETRY_MS);
      retry.unref();
    }
    if (typeof outcome === 'string') return;
    config = outcome;
    options.onReload?.(config);
  };
  const reloadNow = (): Promise<void> => {
    running = running.then(once);
    return running;
  };
  const watch = watchFiles(() => [configFile, ...filesOf(config)], reloadNow, { since });
  return {
    config: () => config,
    reload: reloadNow,
    async stop() {
      stopped = true;
      watch.stop();
      clearTimeout(retry);
      await running;
    },
  };
}
