import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { EngineHandle } from '#core/engine/engine-handle';
import { prepareEnginePostgres } from '#core/engine/engine-postgres';
import type { EngineStorage, PostgresStorage } from '#core/engine/engine-storage';
import { connectExternalEngine, type ExternalEngineOptions } from '#core/engine/external-engine';
import { type EngineBinary, findEngine, PINNED_ENGINE_VERSION } from '#core/engine/find-engine';
import { findSqlTool } from '#core/engine/find-sql-tool';
import { startEngine } from '#core/engine/supervise-engine';
import type { Home } from './home.ts';

export type EngineChoice =
  | ({ readonly kind: 'external' } & Omit<ExternalEngineOptions, 'log' | 'clock' | 'nexusEnabled'>)
  | {
      readonly kind: 'embedded';
      readonly binary?: string;
      readonly storage: EngineStorage;
      readonly historyShards: number;
    };

/** What the machine gives: where programs are found, built and kept. */
export interface Machine {
  /** The PATH in which `temporal-server` and `go` are looked for. */
  readonly path: string;
  /** Where built engines are kept, for all homes of this user; `~/.cache/gatehouse` unless told. */
  readonly cacheFolder?: string;
  /** Variables that `go` reads, such as HOME and GOPROXY, for a build. */
  readonly goEnvironment?: Readonly<Record<string, string | undefined>>;
}

/** Shows a step that may take long; returns what the step returns. */
export type Step = <T>(title: string, work: (progress: (text: string) => void) => Promise<T>) => Promise<T>;

export interface OpenEngineOptions extends Machine {
  readonly home: Home;
  readonly engine: EngineChoice;
  readonly nexusEnabled: boolean;
  readonly log: Log;
  readonly clock: Clock;
  readonly step: Step;
}

export function cacheFolderOf(machine: Machine): string {
  return machine.cacheFolder ?? join(homedir(), '.cache', 'gatehouse');
}

/** Connects to the engine that is configured, or finds one and runs it. */
export async function openEngine(options: OpenEngineOptions): Promise<EngineHandle> {
  const { engine, log, clock, nexusEnabled, step } = options;
  if (engine.kind === 'external') {
    return await step('Connecting to the Temporal cluster', () =>
      connectExternalEngine({ ...engine, log, clock, nexusEnabled }),
    );
  }
  const binary = await step('Finding the Temporal Server', (progress) =>
    findEngine({
      ...searchOf(options, progress),
      ...(engine.binary === undefined ? {} : { configuredBinary: engine.binary }),
    }),
  );
  const { storage } = engine;
  if (storage.kind === 'postgres') {
    await step("Preparing the engine's databases", (progress) => prepare(options, binary, storage, progress));
  }
  return await step('Starting the Temporal Server', () =>
    startEngine({
      home: options.home.root,
      binary,
      log,
      storage,
      nexusEnabled,
      historyShards: engine.historyShards,
      clock,
    }),
  );
}

/** The tool must be of the engine's own version: it brings the schema that this engine expects. */
async function prepare(
  options: OpenEngineOptions,
  binary: EngineBinary,
  storage: PostgresStorage,
  progress: (text: string) => void,
): Promise<void> {
  const tool = await findSqlTool({ ...searchOf(options, progress), version: binary.version });
  await prepareEnginePostgres(tool, storage);
}

function searchOf(options: Machine, progress: (text: string) => void) {
  return {
    version: PINNED_ENGINE_VERSION,
    cacheFolder: cacheFolderOf(options),
    path: options.path,
    progress,
    ...(options.goEnvironment === undefined ? {} : { goEnvironment: options.goEnvironment }),
  };
}
