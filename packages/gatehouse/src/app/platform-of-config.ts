import { readFile } from 'node:fs/promises';
import type { Config } from '#base/config/schema';
import type { KmsSpec } from '#base/crypto/kms-adapters/kms-spec';
import { Secret } from '#base/crypto/secret';
import { orderedLimits } from '#base/model/limits';
import type { DatabaseOptions, PostgresConnection } from '#base/store/database/database';
import type { EncryptionSettings } from '#base/store/directory';
import type { KmsSpecs } from './kms-keys.ts';
import type { EngineChoice } from './open-engine.ts';
import type { KeyLives } from './open-sealing.ts';
import type { WantedNamespace } from './wanted-namespace.ts';

const MINUTE_MS = 60_000;

/** The directory's database, as configured. @param path where SQLite keeps it. */
export async function databaseOf({ directory }: Config, path: string): Promise<DatabaseOptions> {
  if (directory.kind === 'sqlite') return { kind: 'sqlite', path };
  const { host, port, user, password, database = 'gatehouse', tls } = directory;
  return {
    kind: 'postgres',
    connection: {
      host,
      port,
      user,
      password,
      database,
      ...(tls === undefined ? {} : { ssl: await directoryTls(tls) }),
    },
  };
}

async function directoryTls(tls: PostgresTls): Promise<NonNullable<PostgresConnection['ssl']>> {
  const { caFile, certificateFile, keyFile, serverName } = tls;
  return {
    ca: await readFile(caFile, 'utf8'),
    ...(certificateFile === undefined ? {} : { cert: await readFile(certificateFile, 'utf8') }),
    ...(keyFile === undefined ? {} : { key: new Secret(await readFile(keyFile)) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** The engine, as configured. */
export function engineOf({ engine }: Config): EngineChoice {
  const { address, caFile, certificateFile, keyFile, jwks } = engine;
  if (address !== undefined) {
    if (
      caFile === undefined ||
      certificateFile === undefined ||
      keyFile === undefined ||
      jwks === undefined
    ) {
      throw new Error('engine.address without caFile, certificateFile, keyFile and jwks passed the checks');
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
  return {
    kind: 'embedded',
    historyShards: engine.historyShards,
    ...(engine.binary === undefined ? {} : { binary: engine.binary }),
    storage: storageOf(engine.storage),
  };
}

function storageOf(
  storage: Config['engine']['storage'],
): Extract<EngineChoice, { kind: 'embedded' }>['storage'] {
  if (storage.kind === 'sqlite') return { kind: 'sqlite' };
  const { host, port, user, password, database, visibilityDatabase, tls } = storage;
  return {
    kind: 'postgres',
    host,
    port,
    user,
    password,
    ...(database === undefined ? {} : { database }),
    ...(visibilityDatabase === undefined ? {} : { visibilityDatabase }),
    ...(tls === undefined ? {} : { tls: postgresTls(tls) }),
  };
}

type PostgresTls = NonNullable<Extract<Config['directory'], { kind: 'postgres' }>['tls']>;

function postgresTls(tls: PostgresTls): {
  caFile: string;
  certFile?: string;
  keyFile?: string;
  serverName?: string;
} {
  return {
    caFile: tls.caFile,
    ...(tls.certificateFile === undefined ? {} : { certFile: tls.certificateFile }),
    ...(tls.keyFile === undefined ? {} : { keyFile: tls.keyFile }),
    ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
  };
}

/** The namespaces, as configured, with their CA bundles read. */
export async function namespacesOf(config: Config): Promise<readonly WantedNamespace[]> {
  return await Promise.all(
    config.namespaces.map(async (namespace) => ({
      id: namespace.id,
      caPem: await readFile(namespace.caFile, 'utf8'),
      certificateFilters: namespace.certificateFilters.map((filter) => filterOf(filter)),
      retentionDays: namespace.retentionDays,
      allowTls12: namespace.allowTls12,
      nexusEndpoints: namespace.nexusEndpoints,
      auditMode: namespace.audit,
      encryption: encryptionOf(namespace.encryption),
      limits: orderedLimits(namespace.limits),
    })),
  );
}

/** Every setting is named: a line that was taken out of the file takes its setting back. */
function encryptionOf(encryption: Config['namespaces'][number]['encryption']): Required<EncryptionSettings> {
  const { atRest, kmsKey = '', sealedAttributes, clientSide, plaintextAllowed } = encryption;
  return { sealing: atRest, sealedAttributes, kmsKey, clientEncryption: clientSide, plaintextAllowed };
}

/** @param localKeyFile the key file of the home, for a local KMS without one of its own. */
export function kmsSpecsOf({ encryption }: Config, localKeyFile: string): KmsSpecs {
  const specOf = (kms: Config['encryption']['kms']): KmsSpec =>
    kms.kind === 'local' ? { kind: 'local', keyFile: kms.keyFile ?? localKeyFile } : kms;
  return {
    platform: specOf(encryption.kms),
    previous: encryption.previousKms.map(specOf),
    named: encryption.keys.map(({ name, kms }) => ({ name, spec: specOf(kms) })),
  };
}

/** How long keys live, as configured. */
export function keyLivesOf({ encryption }: Config): KeyLives {
  return {
    cacheMs: encryption.cacheMinutes * MINUTE_MS,
    dataKeyMaxAgeMs: encryption.dataKeyMinutes * MINUTE_MS,
    dataKeyMaxMessages: encryption.dataKeyMessages,
    namespaceKeyDays: encryption.namespaceKeyDays,
  };
}

/** Without the keys that are undefined: a stored filter has none. */
function filterOf(
  filter: Config['namespaces'][number]['certificateFilters'][number],
): NonNullable<WantedNamespace['certificateFilters']>[number] {
  const { commonName, organization, organizationalUnit, subjectAlternativeName } = filter;
  return {
    ...(commonName === undefined ? {} : { commonName }),
    ...(organization === undefined ? {} : { organization }),
    ...(organizationalUnit === undefined ? {} : { organizationalUnit }),
    ...(subjectAlternativeName === undefined ? {} : { subjectAlternativeName }),
  };
}

/** Every file whose change may change what the configuration means while it runs. */
export function filesOf(config: Config): readonly string[] {
  return config.namespaces.map(({ caFile }) => caFile);
}
