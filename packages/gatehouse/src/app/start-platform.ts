import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { openAuditSigningKey } from '#core/audit/audit-signing-key';
import { type AuditWriter, openAuditWriter } from '#core/audit/audit-writer';
import type { EngineHandle } from '#core/engine/engine-handle';
import { connectExternalEngine, type ExternalEngineOptions } from '#core/engine/external-engine';
import { findEngine, PINNED_ENGINE_VERSION } from '#core/engine/find-engine';
import type { EngineStorage } from '#core/engine/engine-storage';
import { registerNamespace } from '#core/engine/register-namespace';
import { startEngine } from '#core/engine/supervise-engine';
import { openLocalKms } from '#base/crypto/local-kms';
import type { CertificateFilter } from '#base/model/certificate-filter';
import { parseNamespaceId } from '#base/model/namespace-id';
import { parseCaBundle } from '#base/pki/ca-bundle';
import { type Clock, systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { makePrivateFolder } from '#base/runtime/safe-file';
import type { DatabaseOptions } from '#base/store/database/database';
import type { Directory } from '#base/store/directory';
import { openDirectory } from '#base/store/open-directory';
import { type Gateway, startGateway } from '#planes/gateway/start-gateway';
import type { Home } from './home.ts';
import { watchServerIdentity } from './server-identity.ts';

/** A namespace that the start makes where it does not exist. */
export interface WantedNamespace {
  readonly id: string;
  readonly caPem: string;
  readonly certificateFilters?: readonly CertificateFilter[];
  readonly retentionDays?: number;
  readonly allowTls12?: boolean;
  readonly nexusEndpoints?: readonly string[];
  readonly auditMode?: 'relaxed' | 'strict';
}

export type EngineChoice =
  | ({ readonly kind: 'external' } & Omit<ExternalEngineOptions, 'log' | 'clock' | 'nexusEnabled'>)
  | {
      readonly kind: 'embedded';
      readonly binary?: string;
      readonly storage: EngineStorage;
      readonly historyShards: number;
    };

export interface PlatformOptions {
  readonly home: Home;
  readonly domain: string;
  readonly region: string;
  readonly database: DatabaseOptions;
  readonly engine: EngineChoice;
  readonly nexusEnabled: boolean;
  readonly namespaces: readonly WantedNamespace[];
  readonly grpc: { readonly host: string; readonly port: number };
  readonly https: { readonly host: string; readonly port: number } | undefined;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly allowTls12: boolean;
  readonly log: Log;
  readonly path: string;
  /** Shows a step that may take long; returns what the step returns. */
  readonly step: <T>(title: string, work: (progress: (text: string) => void) => Promise<T>) => Promise<T>;
}

export interface Platform {
  readonly gateway: Gateway;
  readonly engine: EngineHandle;
  readonly directory: Directory;
  readonly audit: AuditWriter;
  /** Drains the doors, then stops the engine, then closes the record and the directory. */
  stop(drainMs: number): Promise<void>;
}

/** Where built engines are kept, for all homes of this user. */
export function cacheFolder(): string {
  return join(homedir(), '.cache', 'gatehouse');
}

/** Builds the planes from a configuration, lowest storey first, and takes down what it began if one fails. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const undo: (() => Promise<unknown>)[] = [];
  try {
    return await build(options, undo);
  } catch (error) {
    for (const close of undo.reverse()) await close().catch(() => undefined);
    throw error;
  }
}

async function build(options: PlatformOptions, undo: (() => Promise<unknown>)[]): Promise<Platform> {
  const { home, log, step } = options;
  const clock = systemClock;
  await makePrivateFolder(home.root);
  const kms = await openLocalKms(home.kmsKeyFile);
  const audit = await step('Opening the audit chain', async () => {
    const signingKey = await openAuditSigningKey(home.auditKeyFile, kms);
    return await openAuditWriter({ folder: home.audit, clock, log, signingKey });
  });
  undo.push(() => audit.close());
  const directory = await step('Opening the directory', async () => {
    await makePrivateFolder(dirname(home.directoryFile));
    return await openDirectory({ database: options.database, kms, cachePath: home.directoryCopyFile, clock, log });
  });
  undo.push(() => directory.close());
  const engine = await openEngine(options, clock);
  undo.push(() => engine.stop());
  await step('Registering namespaces', () => ensureNamespaces(options, directory, engine, clock));
  const gateway = await step('Opening the gateway', () => openGateway(options, { directory, engine, audit, clock }));
  const stopWatching = watchServerIdentity(options, (identity) => gateway.setIdentity(identity));
  return {
    gateway,
    engine,
    directory,
    audit,
    async stop(drainMs) {
      stopWatching();
      await gateway.drain(drainMs);
      await engine.stop();
      await audit.close();
      await directory.close();
    },
  };
}

async function openEngine(options: PlatformOptions, clock: Clock): Promise<EngineHandle> {
  const { engine, log, nexusEnabled, step } = options;
  if (engine.kind === 'external') {
    return await step('Connecting to the Temporal cluster', () =>
      connectExternalEngine({ ...engine, log, clock, nexusEnabled }),
    );
  }
  const binary = await step('Finding the Temporal Server', (progress) =>
    findEngine({
      version: PINNED_ENGINE_VERSION,
      cacheFolder: cacheFolder(),
      path: options.path,
      progress,
      ...(engine.binary === undefined ? {} : { configuredBinary: engine.binary }),
    }),
  );
  return await step('Starting the Temporal Server', () =>
    startEngine({
      home: options.home.root,
      binary,
      log,
      storage: engine.storage,
      nexusEnabled,
      historyShards: engine.historyShards,
      clock,
    }),
  );
}

async function openGateway(
  options: PlatformOptions,
  parts: { directory: Directory; engine: EngineHandle; audit: AuditWriter; clock: Clock },
): Promise<Gateway> {
  const { engine } = parts;
  const [certificate, privateKey, decoyCaPem] = await Promise.all([
    readFile(options.certificateFile, 'utf8'),
    readFile(options.keyFile, 'utf8'),
    readFile(options.home.serverCaFile, 'utf8'),
  ]);
  return await startGateway({
    grpc: options.grpc,
    ...(options.https === undefined ? {} : { https: options.https }),
    domain: options.domain,
    region: options.region,
    identity: { certificate, privateKey },
    decoyCaPem,
    allowTls12: options.allowTls12,
    nexusEnabled: options.nexusEnabled,
    directory: parts.directory,
    engine: {
      target: () => {
        const { serverName, ca, cert, key } = engine.tls;
        return { ...engine.address, serverName, tls: { ca, cert, key } };
      },
      mintToken: (namespaceId, role) => engine.tokens.mintToken(namespaceId, role),
      healthy: () => engine.state() === 'ready',
    },
    audit: parts.audit,
    clock: parts.clock,
    log: options.log,
  });
}

/** Makes wanted namespaces in the directory and every namespace of this region in the engine. */
async function ensureNamespaces(
  options: PlatformOptions,
  directory: Directory,
  engine: EngineHandle,
  clock: Clock,
): Promise<void> {
  for (const wanted of options.namespaces) await ensureNamespace(options, directory, wanted, clock);
  for (const record of directory.snapshot().namespaces.values()) {
    if (record.region !== options.region || record.engineId !== null) continue;
    const engineId = await registerNamespace(engine, { id: record.id, retentionDays: record.retentionDays });
    await directory.write.setEngineId(record.id, engineId, record.revision);
  }
}

async function ensureNamespace(
  options: PlatformOptions,
  directory: Directory,
  wanted: WantedNamespace,
  clock: Clock,
): Promise<void> {
  const { account } = parseNamespaceId(wanted.id);
  const filters = wanted.certificateFilters ?? [];
  parseCaBundle(wanted.caPem, { nowMs: clock.now(), hasFilters: filters.length > 0 });
  const existing = directory.snapshot().namespaces.get(wanted.id);
  if (existing !== undefined) {
    if (existing.caBundlePem !== wanted.caPem) await directory.write.setCaBundle(wanted.id, wanted.caPem);
    return;
  }
  await directory.write.createAccount(account).catch(ignoreExisting);
  await directory.write.createNamespace({
    id: wanted.id,
    region: options.region,
    retentionDays: wanted.retentionDays ?? 30,
    caBundlePem: wanted.caPem,
    certificateFilters: filters,
    allowTls12: wanted.allowTls12 ?? false,
    nexusEndpoints: wanted.nexusEndpoints ?? [],
    auditMode: wanted.auditMode ?? 'relaxed',
  });
}

/** An account is made by the first of its namespaces. */
function ignoreExisting(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'input_invalid') throw error;
}
