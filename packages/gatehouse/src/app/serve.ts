import { readFile, stat } from 'node:fs/promises';
import { Secret } from '#base/crypto/secret';
import type { Config } from '#base/config/schema';
import { homeAt } from './home.ts';
import type { Log } from '#base/runtime/log';
import type { DatabaseOptions } from '#base/store/database/database';
import { ensureServerCertificate } from './home-certificates.ts';
import { takeWriterLock } from '#core/audit/writer-lock';
import { makePrivateFolder } from '#base/runtime/safe-file';
import { systemClock } from '#base/runtime/clock';
import { type EngineChoice, type Platform, type PlatformOptions, startPlatform, type WantedNamespace } from './start-platform.ts';

/** Starts the platform that a configuration describes. */
export async function serve(
  config: Config,
  deps: { readonly log: Log; readonly path: string; readonly step: PlatformOptions['step'] },
): Promise<Platform> {
  const home = homeAt(config.home);
  await requirePrivate('gateway.keyFile', config.gateway.keyFile);
  if (config.engine.keyFile !== undefined) await requirePrivate('engine.keyFile', config.engine.keyFile);
  await makePrivateFolder(home.root);
  const lock = await takeWriterLock(home.root).catch((cause: unknown) => {
    throw new Error(`another gatehouse process runs on ${home.root}; give each its own home`, { cause });
  });
  try {
    await ensureServerCertificate(home, config, systemClock.now());
    const platform = await startPlatform({
      home,
      domain: config.domain,
      region: config.region,
      database: databaseOf(config, home.directoryFile),
      engine: engineOf(config),
      nexusEnabled: config.engine.nexus.enabled,
      namespaces: await Promise.all(config.namespaces.map(wantedNamespace)),
      grpc: config.gateway.grpc.address,
      https: config.gateway.https?.address,
      certificateFile: config.gateway.certificateFile,
      keyFile: config.gateway.keyFile,
      allowTls12: config.gateway.allowTls12,
      ...deps,
    });
    return {
      ...platform,
      async stop(drainMs) {
        await platform.stop(drainMs);
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** A key that others can read is no key (T-100). */
async function requirePrivate(key: string, file: string): Promise<void> {
  const { mode } = await stat(file).catch((cause: unknown) => {
    throw new Error(`${key}: ${file} cannot be read`, { cause });
  });
  if ((mode & 0o077) !== 0) throw new Error(`${key}: ${file} can be read by other users; run: chmod 600 ${file}`);
}

async function wantedNamespace(namespace: Config['namespaces'][number]): Promise<WantedNamespace> {
  return {
    id: namespace.id,
    caPem: await readFile(namespace.caFile, 'utf8'),
    certificateFilters: namespace.certificateFilters.map((filter) => ({ ...filter })) as NonNullable<
      WantedNamespace['certificateFilters']
    >,
    retentionDays: namespace.retentionDays,
    allowTls12: namespace.allowTls12,
    nexusEndpoints: namespace.nexusEndpoints,
    auditMode: namespace.audit,
  };
}

function databaseOf(config: Config, path: string): DatabaseOptions {
  const { directory } = config;
  if (directory.kind === 'sqlite') return { kind: 'sqlite', path };
  return {
    kind: 'postgres',
    connection: {
      host: directory.host,
      port: directory.port,
      database: directory.database ?? 'gatehouse',
      user: directory.user,
      password: new Secret(Buffer.from(directory.password)),
      ...(directory.tls === undefined ? {} : { tls: postgresTls(directory.tls) }),
    },
  };
}

function engineOf(config: Config): EngineChoice {
  const { engine } = config;
  const { address, caFile, certificateFile, keyFile, jwks } = engine;
  if (address !== undefined) {
    if (caFile === undefined || certificateFile === undefined || keyFile === undefined || jwks === undefined) {
      throw new Error('engine.address needs caFile, certificateFile, keyFile and jwks');
    }
    return {
      kind: 'external',
      address,
      serverName: engine.serverName,
      caFile,
      certFile: certificateFile,
      keyFile,
      jwks,
      acceptedAdvisories: engine.acceptedAdvisories,
    };
  }
  const { storage } = engine;
  return {
    kind: 'embedded',
    historyShards: engine.historyShards,
    ...(engine.binary === undefined ? {} : { binary: engine.binary }),
    storage:
      storage.kind === 'sqlite'
        ? { kind: 'sqlite' }
        : {
            kind: 'postgres',
            host: storage.host,
            port: storage.port,
            user: storage.user,
            password: new Secret(Buffer.from(storage.password)),
            ...(storage.database === undefined ? {} : { database: storage.database }),
            ...(storage.visibilityDatabase === undefined ? {} : { visibilityDatabase: storage.visibilityDatabase }),
            ...(storage.tls === undefined ? {} : { tls: postgresTls(storage.tls) }),
          },
  };
}

type PostgresTls = NonNullable<Extract<Config['directory'], { kind: 'postgres' }>['tls']>;

function postgresTls(tls: PostgresTls): { caFile: string; certFile?: string; keyFile?: string; serverName?: string } {
  return {
    caFile: tls.caFile,
    ...(tls.certificateFile === undefined ? {} : { certFile: tls.certificateFile }),
    ...(tls.keyFile === undefined ? {} : { keyFile: tls.keyFile }),
    ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
  };
}
