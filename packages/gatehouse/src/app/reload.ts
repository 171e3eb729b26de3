import { isDeepStrictEqual } from 'node:util';
import { ConfigError, type ConfigFault } from '#base/config/config-error';
import type { Config } from '#base/config/schema';
import { namespaceHost } from '#base/model/namespace-id';
import { Refusal } from '#base/model/refusals';
import { type Clock, systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { adminEvent } from './admin-event.ts';
import { namespacesOf } from './platform-of-config.ts';
import { loadIdentity, uncoveredHosts } from './server-identity.ts';
import { NamespacesRefused, type Platform } from './start-platform.ts';
import type { WantedNamespace } from './wanted-namespace.ts';

/** Keys that are read at the start only. */
const FIXED = [
  'home',
  'account',
  'domain',
  'region',
  'gateway.grpc',
  'gateway.https',
  'gateway.allowTls12',
  'gateway.processes',
  'directory',
  'engine',
  'encryption',
] as const;

export interface ReloadParts {
  readonly platform: Platform;
  readonly log: Log;
  /** Reads the file again. @throws ConfigError. */
  readonly load: () => Config;
  readonly configFile: string;
  /** What the process was started with. */
  readonly started: Config;
  readonly clock?: Clock;
}

/**
 * Reads the configuration again and applies what can change while it runs, without dropping a connection that
 * is still admitted (F-14, F-15). A configuration with a fault is refused as a whole: nothing of it is
 * applied. Either way log and audit chain say so. Never rejects.
 * @returns the new configuration, `refused`, or `retry` where it is sound but could not be stored.
 */
export async function reload(parts: ReloadParts): Promise<Config | 'refused' | 'retry'> {
  const { platform, log, clock = systemClock } = parts;
  const record = (event: Parameters<typeof adminEvent>[1]): void =>
    platform.audit.append(adminEvent(clock, event));
  try {
    const { config, namespaces } = await readAll(parts, clock);
    const changes = [...(await platform.applyNamespaces(namespaces))];
    if (platform.gateway.setLimits(config.limits)) changes.push('limits');
    if (await follow(parts, config)) changes.push('gateway.certificateFile');
    sayWhatStays(parts, config);
    await warnOfHosts(config, log, clock);
    log.info('the configuration was read again', { changes });
    record({ method: 'config.reload', outcome: 'ok', detail: changes.join('; ') });
    return config;
  } catch (error) {
    const canRetry = error instanceof Refusal && error.code === 'directory_unavailable';
    const detail = error instanceof Error ? error.message : String(error);
    log.error(
      canRetry
        ? 'the configuration could not be applied in full; it is tried again'
        : 'the new configuration cannot be used; the old one stays',
      { error },
    );
    const reason = reasonOf(error);
    record({ method: 'config.reload', outcome: canRetry ? 'error' : 'refused', reason, detail });
    return canRetry ? 'retry' : 'refused';
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.code;
  return error instanceof ConfigError ? 'config_invalid' : 'config_not_applied';
}

/** Everything that the configuration means, judged before any of it is applied. @throws ConfigError. */
async function readAll(
  parts: ReloadParts,
  clock: Clock,
): Promise<{ readonly config: Config; readonly namespaces: readonly WantedNamespace[] }> {
  const config = parts.load();
  const namespaces = await namespacesOf(config);
  const faults: ConfigFault[] = [...(await identityFaults(config, clock))];
  try {
    parts.platform.judgeNamespaces(namespaces);
  } catch (error) {
    if (!(error instanceof NamespacesRefused)) throw error;
    faults.push(...namespaceFaults(error));
  }
  if (faults.length > 0) throw new ConfigError(parts.configFile, faults);
  return { config, namespaces };
}

/** What is wrong with the files of the server certificate, in the words of the configuration. */
export async function identityFaults(config: Config, clock: Clock): Promise<readonly ConfigFault[]> {
  try {
    await loadIdentity(config.gateway, clock.now());
    return [];
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const key = problem.startsWith(config.gateway.keyFile) ? 'gateway.keyFile' : 'gateway.certificateFile';
    return [{ key, problem }];
  }
}

/** Hosts of namespaces that the server certificate does not stand for; it must be one that can be used. */
export async function hostsWithoutCertificate(config: Config, clock: Clock): Promise<readonly string[]> {
  const { certificate } = await loadIdentity(config.gateway, clock.now());
  return uncoveredHosts(
    certificate,
    config.namespaces.map(({ id }) => namespaceHost(id, config.domain)),
  );
}

/** What is wrong with namespaces, in the words of the configuration. */
export function namespaceFaults(error: NamespacesRefused): readonly ConfigFault[] {
  return error.faults.map(({ index, field, problem }) => ({
    key: `namespaces.${index}.${field === 'caPem' ? 'caFile' : field}`,
    problem,
  }));
}

async function follow({ platform, started }: ReloadParts, { gateway }: Config): Promise<boolean> {
  await platform.followIdentity(gateway);
  return (
    gateway.certificateFile !== started.gateway.certificateFile || gateway.keyFile !== started.gateway.keyFile
  );
}

/** Not a fault: the certificate may follow. */
export async function warnOfHosts(config: Config, log: Log, clock: Clock): Promise<void> {
  const hosts = await hostsWithoutCertificate(config, clock);
  if (hosts.length > 0)
    log.warn('the server certificate does not stand for these hosts: their clients refuse it', { hosts });
}

function sayWhatStays({ started, platform, log }: ReloadParts, config: Config): void {
  const needRestart = FIXED.filter((key) => !isDeepStrictEqual(plainAt(started, key), plainAt(config, key)));
  if (needRestart.length > 0) {
    log.warn('changes of the configuration that need a restart were not applied', { keys: needRestart });
  }
  const named = new Set(config.namespaces.map(({ id }) => id));
  const kept = [...platform.directory.snapshot().namespaces.keys()].filter((id) => !named.has(id));
  if (kept.length > 0)
    log.info('namespaces that the configuration does not name stay as they are', { namespaces: kept });
}

/** Secrets compare as equal: a changed password is not seen, and needs a restart all the same. */
function plainAt(config: Config, key: string): unknown {
  let value: unknown = config;
  for (const name of key.split('.')) value = Reflect.get(Object(value), name);
  return JSON.parse(JSON.stringify(value ?? null));
}
