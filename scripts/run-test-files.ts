import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endHungTests } from './end-hung-tests.ts';

/** What a file gets to end by itself after the runner told it to. */
const GRACE_MS = 15_000;

export interface RunSettings {
  /** Files at once. */
  readonly concurrency: number;
  /** Of one file. */
  readonly timeoutMs: number;
  /** Besides our own environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface RunResult {
  /** Of the runner: 0 where all passed. */
  readonly status: number;
  /** The files with a test that failed. */
  readonly failed: readonly string[];
}

/** Runs test files on Node's own runner, from the sources; it prints what they tell. */
export async function runTestFiles(paths: readonly string[], settings: RunSettings): Promise<RunResult> {
  const { concurrency, timeoutMs, environment } = settings;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tests-'));
  const failedFile = join(folder, 'failed');
  try {
    const runner = spawn(
      process.execPath,
      [
        '--conditions=source',
        '--test',
        `--test-concurrency=${concurrency}`,
        `--test-timeout=${timeoutMs}`,
        '--test-reporter=spec',
        '--test-reporter-destination=stdout',
        `--test-reporter=${new URL('failed-files.ts', import.meta.url)}`,
        `--test-reporter-destination=${failedFile}`,
        ...paths,
      ],
      { stdio: 'inherit', env: { ...process.env, NODE_NO_WARNINGS: '1', ...environment } },
    );
    const watch = new AbortController();
    const watching = endHungTests(
      runner.pid ?? 0,
      {
        olderThanMs: timeoutMs + GRACE_MS,
        onEnd: (command) => process.stderr.write(`ended ${command}, which did not end by itself\n`),
      },
      watch.signal,
    );
    const [code] = await once(runner, 'exit');
    watch.abort();
    await watching;
    const failed = readFileSync(failedFile, 'utf8').split('\n').filter(Boolean);
    return { status: typeof code === 'number' ? code : 1, failed };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
