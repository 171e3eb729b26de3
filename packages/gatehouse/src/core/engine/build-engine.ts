import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { syncFolder, writeFileAtomic } from '#base/runtime/safe-file';
import { digestFile } from './engine-digest.ts';
import { EngineError } from './engine-error.ts';

/** Variables that `go` reads: where its caches are and what it may fetch from. */
export type GoEnvironment = Readonly<Record<string, string | undefined>>;

export interface GoBuild {
  readonly go: string;
  readonly packagePath: string;
  readonly version: string;
  /** The name that `go install` gives the binary. */
  readonly goBinary: string;
  /** The name it gets here. */
  readonly binary: string;
  /** Appears whole, with the binary and its digest in it, or not at all. */
  readonly folder: string;
  readonly title: string;
  readonly path: string;
  readonly progress: (text: string) => void;
  readonly environment?: GoEnvironment;
}

/** Sums of the module as the public checksum database has them: a proxy cannot hand us another source (T-097). */
const MODULE_SUMS: Readonly<Record<string, string>> = {
  '1.31.2': 'h1:0O4zQ0NGRit2Z32s1XUHfs9k8zSKqff2n1QvFttYN0M=',
};

const PASSED =
  /^(GO[A-Z0-9]*|HOME|XDG_CACHE_HOME|TMPDIR|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|SSL_CERT_(FILE|DIR)|CGO_ENABLED|CC|USER|LANG)$/;
const PROGRESS_MS = 5000;

/**
 * Runs `go install` into a temporary sibling folder and renames it into place. Two processes at once each
 * build their own; the first rename wins and the other's work is dropped. An interrupted build leaves only a
 * `.build-*` folder that nothing looks into.
 */
export async function buildGoCommand(build: GoBuild): Promise<void> {
  const parent = dirname(build.folder);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const temporary = join(
    parent,
    `.build-${basename(build.folder)}-${process.pid}-${randomBytes(4).toString('hex')}`,
  );
  await mkdir(temporary, { mode: 0o700 });
  try {
    await install(build, temporary);
    const binary = join(temporary, build.binary);
    await rename(join(temporary, build.goBinary), binary);
    await checkModuleSum(build, binary);
    await syncFile(binary);
    await writeFileAtomic(`${binary}.sha256`, `${await digestFile(binary)}  ${build.binary}\n`);
    await moveIntoPlace(temporary, build);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function install(build: GoBuild, temporary: string): Promise<void> {
  const started = performance.now();
  const seconds = (): number => Math.round((performance.now() - started) / 1000);
  build.progress(`building ${build.title} with go install; this happens once and takes some minutes`);
  const timer = setInterval(() => build.progress(`building ${build.title}: ${seconds()} s`), PROGRESS_MS);
  try {
    await run(build, ['install', `${build.packagePath}@v${build.version}`], { GOBIN: temporary });
  } finally {
    clearInterval(timer);
  }
  build.progress(`built ${build.title} in ${seconds()} s`);
}

function goEnvironment(build: GoBuild, extra: GoEnvironment): NodeJS.ProcessEnv {
  const passed = Object.entries(build.environment ?? {}).filter(([name]) => PASSED.test(name));
  // GOTOOLCHAIN=local: a newer compiler would be one more thing to download.
  return { ...Object.fromEntries(passed), PATH: build.path, GOTOOLCHAIN: 'local', ...extra };
}

function run(build: GoBuild, args: readonly string[], extra: GoEnvironment): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(build.go, args, {
      env: goEnvironment(build, extra),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let tail = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-2000);
    });
    child.on('error', (error) => reject(new EngineError(`${build.go} cannot be run`, { cause: error })));
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new EngineError(
            `building ${build.title} failed (${signal ?? `exit ${code}`}): ${tail.trim().split('\n').slice(-5).join(' | ')}`,
          ),
        );
    });
  });
}

async function checkModuleSum(build: GoBuild, binary: string): Promise<void> {
  const expected = MODULE_SUMS[build.version];
  if (expected === undefined || !build.packagePath.startsWith('go.temporal.io/server/')) return;
  const { stdout } = await promisify(execFile)(build.go, ['version', '-m', binary], {
    env: goEnvironment(build, {}),
    maxBuffer: 1 << 24,
  });
  const sum = /^\s*mod\s+go\.temporal\.io\/server\s+\S+\s+(h1:\S+)$/m.exec(stdout)?.[1];
  if (sum !== expected) {
    throw new EngineError(
      `the source of ${build.title} is not the published one (sum ${sum ?? 'missing'}, expected ${expected}): ` +
        'check GOPROXY and GONOSUMDB',
    );
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function moveIntoPlace(temporary: string, build: GoBuild): Promise<void> {
  try {
    await rename(temporary, build.folder);
  } catch (error) {
    const winner = await access(join(build.folder, build.binary)).then(
      () => true,
      () => false,
    );
    if (!winner) {
      throw new EngineError(`${build.folder} is in the way: remove it and start again`, { cause: error });
    }
  }
  await syncFolder(dirname(build.folder));
}
