import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPart, type PartOptions } from './build-part.ts';
import { runProgram } from './run-program.ts';
import { runStep } from './run-step.ts';

const VERSION = 'v1.0.7';
const MODULE = 'connectrpc.com/conformance';

export interface ConformancePrograms {
  /** Runs the cases, and judges. */
  readonly runner: string;
  /** Its service on grpc-go, on which the engine stands as well. */
  readonly grpcServer: string;
}

/** The programs of connectrpc's conformance suite, built once; Go's checksum database vouches for the source. */
export async function obtainConformance(options: PartOptions = {}): Promise<ConformancePrograms> {
  const packages = ['connectconformance', 'grpcserver'].map((name) => `${MODULE}/cmd/${name}@${VERSION}`);
  const folder = await buildPart('conformance', packages, options, async (into) => {
    options.progress?.(`conformance: go install ${packages.join(' ')}`);
    await runStep('go', ['install', '-trimpath', ...packages], {
      cwd: into,
      env: { GOBIN: into, GOTOOLCHAIN: 'local' },
    });
  });
  return { runner: join(folder, 'connectconformance'), grpcServer: join(folder, 'grpcserver') };
}

export interface ConformanceRun {
  readonly mode: 'client' | 'server';
  /** Which of the suite's cases apply: its `features`, in its own words. */
  readonly features: Readonly<Record<string, unknown>>;
  /** The program under test. */
  readonly command: readonly string[];
}

export interface ConformanceOutcome {
  /** How many cases were run. */
  readonly total: number;
  /** By the case's full name: what the suite has against it, a line each. */
  readonly failed: ReadonlyMap<string, readonly string[]>;
}

/** Runs every case that applies; none is skipped or expected to fail. @throws Error where there is no verdict. */
export async function runConformance(runner: string, run: ConformanceRun): Promise<ConformanceOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-conformance-'));
  try {
    const config = join(folder, 'config.yaml');
    // JSON is YAML, too.
    await writeFile(config, JSON.stringify({ features: run.features }));
    const args = ['--mode', run.mode, '--conf', config, '--', ...run.command];
    const { stdout, stderr } = await runProgram(runner, args, { timeoutMs: 180_000 });
    const total = /^Total cases: (\d+)$/m.exec(stdout)?.[1];
    if (total === undefined) throw new Error(`the suite gave no verdict\n${stdout}${stderr}`);
    return { total: Number(total), failed: readFailures(stdout) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readFailures(report: string): Map<string, string[]> {
  const failed = new Map<string, string[]>();
  let complaints: string[] | undefined;
  for (const line of report.split('\n')) {
    const name = /^FAILED: (.*?):?$/.exec(line)?.[1];
    if (name !== undefined) {
      complaints = [];
      failed.set(name, complaints);
    } else if (line.startsWith('\t')) complaints?.push(line.trim());
    else complaints = undefined;
  }
  return failed;
}
