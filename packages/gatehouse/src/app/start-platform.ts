import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { openLocalKms } from '#base/crypto/local-kms';
import type { PlatformLimits } from '#base/model/limits';
import { Refusal } from '#base/model/refusals';
import { type Clock, systemClock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { makePrivateFolder } from '#base/runtime/safe-file';
import type { DatabaseOptions } from '#base/store/database/database';
import type { Directory } from '#base/store/directory';
import { openDirectory } from '#base/store/open-directory';
import type { ServerIdentity } from '#base/wire/tls-listener';
import { openAuditSigningKey } from '#core/audit/audit-signing-key';
import { type AuditWriter, openAuditWriter } from '#core/audit/audit-writer';
import { openAuditDataKeys } from '#core/audit/fields/audit-data-keys';
import type { EngineHandle } from '#core/engine/engine-handle';
import type { NexusEndpoint } from '#core/engine/register-nexus-endpoint';
import { startGateway } from '#planes/gateway/start-gateway';
import { adminEvent } from './admin-event.ts';
import { applyNamespaces, judgeNamespaces } from './apply-namespaces.ts';
import { engineForGateway } from './called-engine.ts';
import { ensureNexusEndpoints } from './ensure-nexus-endpoints.ts';
import type { Home } from './home.ts';
import { judgeSealedAttributes } from './judge-encryption.ts';
import { type KmsKeys, type KmsSpecs, openKmsKeys } from './kms-keys.ts';
import { rememberNexusPeers } from './nexus-peers.ts';
import { type EngineChoice, type Machine, openEngine, type Step } from './open-engine.ts';
import { type KeyLives, type OpenSealing, openSealing } from './open-sealing.ts';
import type { GatewayCommand } from './processes/gateway-process.ts';
import {
  type GatewayDoors,
  type GatewayProcesses,
  startGatewayProcesses,
} from './processes/gateway-processes.ts';
import { type IdentityFiles, type IdentityWatch, loadIdentity, watchIdentity } from './server-identity.ts';
import type { NamespaceFault, WantedNamespace } from './wanted-namespace.ts';

export interface PlatformOptions extends Machine {
  readonly home: Home;
  readonly domain: string;
  readonly region: string;
  readonly database: DatabaseOptions;
  readonly engine: EngineChoice;
  readonly nexusEnabled: boolean;
  /** Made in the engine at the start, where Nexus is on. */
  readonly nexusEndpoints?: readonly NexusEndpoint[];
  readonly namespaces: readonly WantedNamespace[];
  readonly grpc: { readonly host: string; readonly port: number };
  readonly https: { readonly host: string; readonly port: number } | undefined;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly allowTls12: boolean;
  /** Absent: a key file in the home wraps everything. */
  readonly kms?: KmsSpecs;
  readonly keyLives?: KeyLives;
  /** Absent: the defaults. */
  readonly limits?: PlatformLimits;
  /** More than one gateway process. Absent: this process is the gateway. */
  readonly processes?: { readonly count: number; readonly command: GatewayCommand };
  readonly log: Log;
  readonly step: Step;
}

export interface Platform {
  readonly gateway: GatewayDoors;
  readonly engine: EngineHandle;
  readonly directory: Directory;
  readonly audit: AuditWriter;
  /** Judges, then makes or changes namespaces. @throws NamespacesRefused; Refusal `directory_unavailable`. */
  applyNamespaces(wanted: readonly WantedNamespace[]): Promise<readonly string[]>;
  /** @throws NamespacesRefused where one of them must not be as wanted. */
  judgeNamespaces(wanted: readonly WantedNamespace[]): void;
  /** Follows another server certificate from now on. @throws Error where it cannot be used. */
  followIdentity(files: IdentityFiles): Promise<void>;
  /**
   * Replaces the gateway processes one by one, without a call that fails. Says so where there is but one.
   * @param drainMs for the calls of each. @throws Error where one that is new does not serve; the old ones do.
   */
  restartGateway(drainMs: number): Promise<void>;
  /** Drains the doors, then stops the engine, then closes the record and the directory. */
  stop(drainMs: number): Promise<void>;
}

/** Wanted namespaces that break a rule; nothing was changed. */
export class NamespacesRefused extends Error {
  readonly faults: readonly NamespaceFault[];

  constructor(faults: readonly NamespaceFault[], wanted: readonly WantedNamespace[]) {
    super(faults.map(({ index, problem }) => `namespace ${wanted[index]?.id}: ${problem}`).join('; '));
    this.name = 'NamespacesRefused';
    this.faults = faults;
  }
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
  const { home, log, step, region } = options;
  const clock = systemClock;
  await makePrivateFolder(home.root);
  // What is the home's own stays under the home's own key, whatever wraps the directory's.
  const homeKms = await openLocalKms(home.kmsKeyFile);
  const kmsKeys = await openKmsKeys(options.kms ?? localKms(home), log);
  undo.push(() => kmsKeys.close());
  const audit = await step('Opening the audit chain', async () => {
    const signingKey = await openAuditSigningKey(home.auditKeyFile, homeKms);
    const dataKeys = await openAuditDataKeys({ folder: home.auditDataKeys, kms: homeKms, clock, log });
    return await openAuditWriter({ folder: home.audit, clock, log, signingKey, dataKeys });
  });
  undo.push(() => audit.close());
  const directory = await step('Opening the directory', async () => {
    await makePrivateFolder(dirname(home.directoryFile));
    return await openDirectory({
      database: options.database,
      kms: kmsKeys.platform,
      cachePath: home.directoryCopyFile,
      clock,
      log,
    });
  });
  undo.push(() => directory.close());
  const judge = (wanted: readonly WantedNamespace[]): void => {
    const faults = judgeNamespaces(directory, wanted, clock.now());
    if (faults.length > 0) throw new NamespacesRefused(faults, wanted);
  };
  // Before the engine is started: a fault must show in a second.
  judge(options.namespaces);
  const engine = await openEngine({ ...options, clock });
  undo.push(() => engine.stop());
  recordAccepted(engine, audit, clock);
  const endpoints = options.nexusEnabled ? (options.nexusEndpoints ?? []) : [];
  const sealing = openSealing({
    directory,
    kmsKeys,
    audit,
    region,
    lives: options.keyLives ?? {},
    nexusEndpoints: endpoints,
    clock,
    log,
  });
  undo.push(() => sealing.close());
  const parts = { directory, engine, audit, clock, region, ensureKeys: sealing.ensureKeys };
  const apply = async (wanted: readonly WantedNamespace[]): Promise<readonly string[]> => {
    judge(wanted);
    const faults = await judgeSealedAttributes(directory, engine, wanted);
    if (faults.length > 0) throw new NamespacesRefused(faults, wanted);
    // What a change takes away must be known before, what it gives after.
    await rememberNexusPeers(directory, endpoints);
    const changes = await applyNamespaces(parts, wanted);
    await rememberNexusPeers(directory, endpoints);
    return changes;
  };
  await step('Registering namespaces', () => applyIfPossible(apply, options));
  if (endpoints.length > 0) {
    await step('Registering Nexus endpoints', () => ensureNexusEndpoints(parts, endpoints));
  }
  const { gateway, identity } = await step('Opening the gateway', () =>
    openGateway(options, { ...parts, sealing }),
  );
  return {
    gateway,
    engine,
    directory,
    audit,
    applyNamespaces: apply,
    judgeNamespaces: judge,
    followIdentity: (files) => identity.follow(files),
    async restartGateway(drainMs) {
      if (gateway.restart !== undefined) return await gateway.restart(drainMs);
      log.warn('one process is the whole gateway: there is none to restart while another serves');
    },
    stop: (drainMs) =>
      stop({ gateway, identity, engine, sealing, audit, directory, kmsKeys }, options, drainMs),
  };
}

function localKms(home: Home): KmsSpecs {
  return { platform: { kind: 'local', keyFile: home.kmsKeyFile }, previous: [], named: [] };
}

/** F-05: where the database is away the sealed copy serves, and what is to be changed waits. */
async function applyIfPossible(
  apply: (wanted: readonly WantedNamespace[]) => Promise<unknown>,
  { namespaces, log }: PlatformOptions,
): Promise<void> {
  try {
    await apply(namespaces);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'directory_unavailable') throw error;
    log.error('the directory is away: namespaces are as they were, not as configured', { error });
  }
}

/** T-098: an advisory that the operator accepts is on record. */
function recordAccepted(engine: EngineHandle, audit: AuditWriter, clock: Clock): void {
  for (const { id } of engine.verdict.accepted) {
    audit.append(
      adminEvent(clock, {
        method: 'engine.accept-advisory',
        outcome: 'ok',
        detail: `${engine.version} ${id}`,
      }),
    );
  }
}

interface GatewayParts {
  readonly directory: Directory;
  readonly engine: EngineHandle;
  readonly audit: AuditWriter;
  readonly clock: Clock;
  readonly sealing: OpenSealing;
}

async function openGateway(
  options: PlatformOptions,
  parts: GatewayParts,
): Promise<{
  readonly gateway: GatewayDoors & Partial<Pick<GatewayProcesses, 'restart'>>;
  readonly identity: IdentityWatch;
}> {
  const { audit, clock } = parts;
  const { log } = options;
  const files = { certificateFile: options.certificateFile, keyFile: options.keyFile };
  const current = await loadIdentity(files, clock.now());
  const { processes } = options;
  const gateway =
    processes === undefined
      ? await openOwnGateway(options, parts, current)
      : await openGatewayProcesses({ ...options, processes }, parts, current);
  const apply = (identity: ServerIdentity): void => gateway.setIdentity(identity);
  return { gateway, identity: watchIdentity({ files, current, apply, log, audit, clock }) };
}

async function openOwnGateway(
  options: PlatformOptions,
  { directory, engine, audit, clock, sealing }: GatewayParts,
  identity: ServerIdentity,
): Promise<GatewayDoors> {
  return await startGateway({
    grpc: options.grpc,
    ...(options.https === undefined ? {} : { https: options.https }),
    domain: options.domain,
    region: options.region,
    identity,
    decoyCaPem: await readFile(options.home.serverCaFile, 'utf8'),
    allowTls12: options.allowTls12,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    nexusEnabled: options.nexusEnabled,
    directory,
    sealing: sealing.sealing,
    engine: engineForGateway(engine),
    audit,
    clock,
    log: options.log,
  });
}

async function openGatewayProcesses(
  options: PlatformOptions & Required<Pick<PlatformOptions, 'processes'>>,
  { directory, engine, audit, clock }: GatewayParts,
  identity: ServerIdentity,
): Promise<GatewayProcesses> {
  const { processes, home, nexusEnabled } = options;
  return await startGatewayProcesses({
    ...processes,
    spec: {
      home: home.root,
      domain: options.domain,
      region: options.region,
      database: options.database,
      kms: options.kms ?? localKms(home),
      keyLives: options.keyLives ?? {},
      nexusEnabled,
      nexusEndpoints: nexusEnabled ? (options.nexusEndpoints ?? []) : [],
      grpc: options.grpc,
      ...(options.https === undefined ? {} : { https: options.https }),
      allowTls12: options.allowTls12,
    },
    identity,
    limits: options.limits,
    engine,
    directory,
    audit,
    clock,
    log: options.log,
  });
}

/** How long the doors wait for the last answers of an engine that has ended. */
const AFTER_ENGINE_MS = 1000;

async function stop(
  parts: Pick<Platform, 'gateway' | 'engine' | 'audit' | 'directory'> & {
    readonly identity: IdentityWatch;
    readonly sealing: OpenSealing;
    readonly kmsKeys: KmsKeys;
  },
  { engine: choice, log }: PlatformOptions,
  drainMs: number,
): Promise<void> {
  const { gateway, engine, audit, directory } = parts;
  const steps: (readonly [string, () => Promise<unknown>])[] =
    choice.kind === 'external'
      ? [['gateway', () => gateway.drain(drainMs)]]
      : [
          // An engine of our own goes down too, and it ends its long polls better than we could: a task that it
          // has just handed out still reaches its Worker.
          ['calls', () => gateway.quiesce(drainMs)],
          ['engine', () => engine.stop()],
          ['gateway', () => gateway.drain(AFTER_ENGINE_MS)],
        ];
  parts.identity.stop();
  for (const [part, close] of [
    ...steps,
    ['engine', () => engine.stop()] as const,
    ['sealing', () => parts.sealing.close()] as const,
    ['audit', () => audit.close()] as const,
    ['directory', () => directory.close()] as const,
    ['kms', () => parts.kmsKeys.close()] as const,
  ]) {
    // One part that does not close must not keep the others open.
    await close().catch((error: unknown) => log.error('a part did not close', { part, error }));
  }
}
