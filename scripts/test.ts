// Runs test files on Node's own runner, from the sources. Groups: unit (the inner loop), e2e (real clients and engine),
// soak (fault after fault under load; GATEHOUSE_SOAK_MINUTES).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { homedir } from 'node:os';
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
};

const [group = 'unit', ...filters] = process.argv.slice(2);
const patterns = groups[group];
if (patterns === undefined) {
  process.stderr.write(`unknown group ${group}: ${Object.keys(groups).join(', ')}\n`);
  process.exit(2);
}
const files = patterns
  .flatMap((pattern) => globSync(pattern))
  .filter((file) => !file.includes('node_modules') && filters.every((filter) => file.includes(filter)))
  .sort();
if (files.length === 0) {
  process.stderr.write('no test file matches\n');
  process.exit(1);
}
// The real engine is a part of the tests: built once on a new machine, found in the cache afterwards.
await findEngine({
  version: PINNED_ENGINE_VERSION,
  cacheFolder: process.env['GATEHOUSE_CACHE'] ?? join(homedir(), '.cache', 'gatehouse'),
  path: process.env['PATH'] ?? '',
  progress: (text) => process.stdout.write(`${text}\n`),
  goEnvironment: process.env,
});
// Of one file. A soak may be told to go on for hours, and limits itself.
const timeoutMs = { unit: 300_000, e2e: 600_000, soak: 2 ** 31 - 1 }[group] ?? 0;
/** What a file gets to end by itself after the runner told it to. */
const GRACE_MS = 15_000;
const concurrency = group === 'unit' ? '2' : '1';
const runner = spawn(
  process.execPath,
  [
    '--conditions=source',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    ...files,
  ],
  { stdio: 'inherit', env: { ...process.env, NODE_NO_WARNINGS: '1' } },
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
const [status] = await once(runner, 'exit');
watch.abort();
await watching;
process.exit(typeof status === 'number' ? status : 1);
