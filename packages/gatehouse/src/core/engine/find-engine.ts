import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { buildGoCommand, type GoEnvironment } from './build-engine.ts';
import { digestFile, recordedDigest, verifyBinary } from './engine-digest.ts';
import { EngineError } from './engine-error.ts';
import { checkEngineVersion, parseEngineVersion } from './engine-version.ts';

/** The patch that everything here was run against. */
export const PINNED_ENGINE_VERSION = '1.31.2';

/** A Temporal Server binary that passed the version check, and the digest it must have at every start. */
export interface EngineBinary {
  readonly path: string;
  readonly version: string;
  readonly sha256: string;
  readonly source: 'configured' | 'path' | 'cache' | 'built';
}

export interface FindEngineOptions {
  readonly version: string;
  /** Holds `engine/<version>/temporal-server`. */
  readonly cacheFolder: string;
  /** The PATH in which `temporal-server` and `go` are looked for. */
  readonly path: string;
  /** Says what takes long, one line at a time. */
  readonly progress: (text: string) => void;
  /** An operator's choice: used, or refused, but never replaced by another. */
  readonly configuredBinary?: string;
  /** Passed to `go`: GOPROXY, GOFLAGS, HOME and the like. */
  readonly goEnvironment?: GoEnvironment;
}

/**
 * Finds the engine: configured, then `temporal-server` on PATH, then in the cache, then built by `go install`
 * of the pinned version. Nothing else is ever downloaded.
 * @throws EngineError naming the ways out, when there is none or when a binary was tampered with.
 */
export async function findEngine(options: FindEngineOptions): Promise<EngineBinary> {
  if (options.configuredBinary !== undefined) return openConfigured(options.configuredBinary);
  const onPath = await findOnPath('temporal-server', options.path);
  if (onPath !== undefined) {
    const found = await openOnPath(onPath, options.progress);
    if (found !== undefined) return found;
  }
  const cached = join(options.cacheFolder, 'engine', options.version, 'temporal-server');
  if (await isExecutable(cached)) return openCached(cached, options, 'cache');
  const go = await findOnPath('go', options.path);
  if (go === undefined) throw new EngineError(threeWays(options.version));
  await buildGoCommand({
    go,
    packagePath: 'go.temporal.io/server/cmd/server',
    version: options.version,
    goBinary: 'server',
    binary: 'temporal-server',
    folder: join(options.cacheFolder, 'engine', options.version),
    title: `Temporal Server ${options.version}`,
    path: options.path,
    progress: options.progress,
    ...(options.goEnvironment === undefined ? {} : { environment: options.goEnvironment }),
  });
  return openCached(cached, options, 'built');
}

/** The first executable of this name on a PATH string; entries that are not absolute are ignored. */
export async function findOnPath(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    const candidate = join(folder, name);
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

async function openConfigured(path: string): Promise<EngineBinary> {
  if (!(await isExecutable(path)))
    throw new EngineError(`the configured engine ${path} is not an executable file`);
  return openAny(path, 'configured');
}

async function openOnPath(path: string, progress: (text: string) => void): Promise<EngineBinary | undefined> {
  try {
    return await openAny(path, 'path');
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    progress(`not using ${path}: ${error.message}`);
    return undefined;
  }
}

/** Verified before it is run for the first time: asking a tampered binary for its version would run it. */
async function openAny(path: string, source: EngineBinary['source']): Promise<EngineBinary> {
  const sha256 = (await recordedDigest(path)) ?? (await digestFile(path));
  await verifyBinary(path, sha256);
  const version = await askVersion(path);
  checkEngineVersion(version, { settingsAreOurs: true });
  return Object.freeze({ path, version, sha256, source });
}

async function openCached(
  path: string,
  options: FindEngineOptions,
  source: 'cache' | 'built',
): Promise<EngineBinary> {
  if ((await recordedDigest(path)) === undefined) {
    const digest = await digestFile(path);
    await writeFileAtomic(`${path}.sha256`, `${digest}  temporal-server\n`);
    options.progress(`recorded sha256 ${digest} of ${path}, which had none`);
  }
  const binary = await openAny(path, source);
  if (binary.version !== options.version) {
    throw new EngineError(
      `${path} is Temporal Server ${binary.version}, not ${options.version}: remove its folder`,
    );
  }
  return binary;
}

async function askVersion(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version'], {
    timeout: 20_000,
    env: { TEMPORAL_VERSION_CHECK_DISABLED: '1' },
  }).catch((error: unknown) => {
    throw new EngineError(`${path} does not answer --version`, { cause: error });
  });
  const version = parseEngineVersion(stdout);
  if (version === undefined) throw new EngineError(`${path} is not a Temporal Server`);
  return version;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function threeWays(version: string): string {
  return (
    'there is no Temporal Server. Three ways to have one: set engine.address to a server that runs already; ' +
    `put temporal-server ${version} on PATH; or install Go, and the next start builds it (about 5 minutes, once)`
  );
}
