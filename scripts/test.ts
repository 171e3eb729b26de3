// Runs test files on Node's own runner, from the sources. Groups: unit (the inner loop), e2e (real clients and engine),
// soak (fault after fault under load; GATEHOUSE_SOAK_MINUTES), fuzz (test/fuzz/README.md; filters name targets).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEngine, PINNED_ENGINE_VERSION } from '../packages/gatehouse/src/core/engine/find-engine.ts';
import { endHungTests } from './end-hung-tests.ts';

const groups: Readonly<Record<string, readonly string[]>> = {
  unit: [
    'packages/*/src/**/*.test.ts',
    'bench/*.test.ts',
    'scripts/*.test.ts',
    'test/parts/*.test.ts',
    'test/fuzz/*.test.ts',
  ],
  e2e: ['test/e2e/*.test.ts'],
  soak: ['test/soak/*.test.ts'],
  fuzz: ['test/fuzz/long/*.test.ts'],
};

const [group = 'unit', ...filters] = process.argv.slice(2);
const patterns = groups[group];
if (patterns === undefined) {
  process.stderr.write(`unknown group ${group}: ${Object.keys(groups).join(', ')}\n`);
  process.exit(2);
}
const isFuzz = group === 'fuzz';
const fileFilters = isFuzz ? [] : filters;
const files = patterns
  .flatMap((pattern) => globSync(pattern))
  .filter((file) => !file.includes('node_modules') && fileFilters.every((filter) => file.includes(filter)))
  .sort();
if (files.length === 0) {
  process.stderr.write('no test file matches\n');
  process.exit(1);
}
// The real engine is a part of the tests: built once on a new machine, found in the cache afterwards.
if (!isFuzz) {
  await findEngine({
    version: PINNED_ENGINE_VERSION,
    cacheFolder: process.env['GATEHOUSE_CACHE'] ?? join(homedir(), '.cache', 'gatehouse'),
    path: process.env['PATH'] ?? '',
    progress: (text) => process.stdout.write(`${text}\n`),
    goEnvironment: process.env,
  });
}
// Of one file. A soak and a fuzz may be told to go on for hours, and limit themselves.
const timeoutMs = { unit: 300_000, e2e: 600_000, soak: 2 ** 31 - 1, fuzz: 2 ** 31 - 1 }[group] ?? 0;
/** What a file gets to end by itself after the runner told it to. */
const GRACE_MS = 15_000;
/** More files than this do not fail by chance. */
const AGAIN_MAX = 5;
const concurrency = group === 'unit' ? '2' : '1';
let { status, failed } = await run(files);
// What fails on a busy machine alone says something of the test; what fails twice, of us. Both are printed.
if (status !== 0 && group === 'e2e' && failed.length > 0 && failed.length <= AGAIN_MAX) {
  process.stdout.write(`\nonce more, alone: ${failed.join(' ')}\n`);
  ({ status, failed } = await run(failed));
}
process.exit(status);

/** Runs test files. @returns which of them failed. */
async function run(paths: readonly string[]): Promise<{ status: number; failed: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-tests-'));
  const failedFile = join(folder, 'failed');
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
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        NODE_NO_WARNINGS: '1',
        ...(isFuzz && filters.length > 0 ? { GATEHOUSE_FUZZ_TARGETS: filters.join() } : {}),
      },
    },
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
  const told = readFileSync(failedFile, 'utf8').split('\n').filter(Boolean);
  rmSync(folder, { recursive: true });
  return { status: typeof code === 'number' ? code : 1, failed: told };
}
