import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPart, type PartOptions } from './build-part.ts';
import { type ProgramOutcome, runProgram } from './run-program.ts';
import { runStep } from './run-step.ts';
import type { WorkerTarget } from './worker-process.ts';

const CRATE = 'temporalio-sdk-core';
const sources = fileURLToPath(new URL('./sdkcases/', import.meta.url));

/**
 * The integration cases of Temporal's SDK Core, which is inside the SDKs for Python, TypeScript, .NET, Ruby and Rust,
 * as its crate ships them. Built once, in some minutes, with the suite's own filter for Temporal Cloud: cases that need
 * no server, or more than a namespace, say so and are ignored. Cargo's lock file vouches for the source.
 */
export async function obtainSdkCases(options: PartOptions = {}): Promise<string> {
  const [manifest, lock] = await Promise.all(
    ['Cargo.toml', 'Cargo.lock'].map((name) => readFile(join(sources, name), 'utf8')),
  );
  const folder = await buildPart('sdk-cases', [manifest ?? '', lock ?? ''], options, async (into) => {
    options.progress?.('sdk-cases: cargo test --no-run (protoc must be installed)');
    const work = await mkdtemp(join(tmpdir(), 'gatehouse-sdk-cases-'));
    try {
      await cp(sources, work, { recursive: true });
      await mkdir(join(work, 'src'));
      await writeFile(join(work, 'src/lib.rs'), '');
      await cp(join(await crateFolder(work), 'tests'), join(work, 'tests'), { recursive: true });
      const built = await runStep(
        'cargo',
        ['test', '--no-run', '--locked', '--test', 'integ_tests', '--message-format', 'json'],
        { cwd: work },
      );
      await cp(executableOf(built), join(into, 'integ_tests'));
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
  return join(folder, 'integ_tests');
}

/** Where Cargo has unpacked the crate. */
async function crateFolder(work: string): Promise<string> {
  const said = await runStep('cargo', ['metadata', '--format-version', '1', '--locked'], { cwd: work });
  const { packages } = JSON.parse(said) as { packages: { name: string; manifest_path: string }[] };
  const found = packages.find(({ name }) => name === CRATE);
  if (found === undefined) throw new Error(`${CRATE} is not among the packages`);
  return dirname(found.manifest_path);
}

function executableOf(built: string): string {
  for (const line of built.split('\n')) {
    if (!line.startsWith('{')) continue;
    const { executable, target } = JSON.parse(line) as { executable?: string; target?: { name: string } };
    if (target?.name === 'integ_tests' && typeof executable === 'string') return executable;
  }
  throw new Error('cargo built no integ_tests');
}

/** `unfinished`: there was no verdict within the time. */
export type Verdict = 'ok' | 'FAILED' | 'unfinished';

export interface SdkCases {
  /** Everything that runs against a server. */
  readonly cases: readonly string[];
  /** Everything else, with the suite's own reason. */
  readonly ignored: ReadonlyMap<string, string>;
}

const LISTED = /^(\S+): test$/gm;

export async function listSdkCases(program: string): Promise<SdkCases> {
  const namesOf = ({ stdout }: ProgramOutcome): string[] =>
    [...stdout.matchAll(LISTED)].map(([, name = '']) => name);
  const all = namesOf(await runProgram(program, ['--list', '--format', 'terse']));
  const ignored = new Set(namesOf(await runProgram(program, ['--list', '--ignored', '--format', 'terse'])));
  // Only a run tells why; of one that has nothing else to do it says nothing but that.
  const { stdout } = await runProgram(program, ['--exact', ...ignored]);
  const reasons = [...stdout.matchAll(/^test (\S+) \.\.\. ignored(?:, (.*))?$/gm)];
  return {
    cases: all.filter((name) => !ignored.has(name)),
    ignored: new Map(reasons.map(([, name = '', reason = '']) => [name, reason])),
  };
}

export interface SdkCaseRun {
  readonly target: WorkerTarget;
  readonly cases: readonly string[];
  readonly timeoutMs: number;
  /** Cases wait more than they work. */
  readonly atOnce?: number;
}

/** @returns each case's verdict, and what was said. */
export async function runSdkCases(
  program: string,
  { target, cases, timeoutMs, atOnce = 8 }: SdkCaseRun,
): Promise<{ readonly verdicts: ReadonlyMap<string, Verdict>; readonly output: string }> {
  const { tls } = target;
  const env = {
    TEMPORAL_TEST_ENV_CONFIG_SERVER: '1',
    TEMPORAL_ADDRESS: target.address,
    TEMPORAL_NAMESPACE: target.namespace,
    ...(tls === undefined
      ? {}
      : {
          TEMPORAL_TLS_SERVER_NAME: tls.serverName,
          TEMPORAL_TLS_SERVER_CA_CERT_PATH: tls.caFile,
          TEMPORAL_TLS_CLIENT_CERT_PATH: tls.certificateFile,
          TEMPORAL_TLS_CLIENT_KEY_PATH: tls.keyFile,
        }),
  };
  const args = ['--test-threads', String(atOnce), '--exact', ...cases];
  const { stdout, stderr } = await runProgram(program, args, { env, timeoutMs });
  const verdicts = new Map<string, Verdict>(cases.map((name) => [name, 'unfinished']));
  for (const [, name = '', verdict] of stdout.matchAll(/^test (\S+) \.\.\. (ok|FAILED)$/gm)) {
    if (verdicts.has(name)) verdicts.set(name, verdict === 'ok' ? 'ok' : 'FAILED');
  }
  return { verdicts, output: stdout + stderr };
}
