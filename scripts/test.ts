// Runs the tests of a group: unit (the inner loop), e2e (real clients and engine), soak (fault after fault under load;
// GATEHOUSE_SOAK_MINUTES), fuzz (test/fuzz/README.md). Filters are parts of file names, of fuzz those of targets.
import { globSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findEngine, PINNED_ENGINE_VERSION } from '../packages/gatehouse/src/core/engine/find-engine.ts';
import { runTestFiles } from './run-test-files.ts';

interface Group {
  readonly patterns: readonly string[];
  /** Of one file. */
  readonly timeoutMs: number;
  /** Files at once: one, if not given. */
  readonly concurrency?: number;
}

const MINUTE_MS = 60_000;
/** A soak and a fuzz may be told to go on for hours, and limit themselves. */
const LONGEST_MS = 2 ** 31 - 1;
const groups: Readonly<Record<string, Group>> = {
  unit: {
    patterns: [
      'packages/*/src/**/*.test.ts',
      'bench/*.test.ts',
      'scripts/*.test.ts',
      'test/parts/*.test.ts',
      'test/fuzz/*.test.ts',
    ],
    timeoutMs: 5 * MINUTE_MS,
    concurrency: 2,
  },
  e2e: { patterns: ['test/e2e/*.test.ts'], timeoutMs: 10 * MINUTE_MS },
  soak: { patterns: ['test/soak/*.test.ts'], timeoutMs: LONGEST_MS },
  fuzz: { patterns: ['test/fuzz/long/*.test.ts'], timeoutMs: LONGEST_MS },
};
/** More files than this do not fail by chance. */
const AGAIN_MAX = 5;

const [name = 'unit', ...filters] = process.argv.slice(2);
const group = groups[name];
if (group === undefined) {
  process.stderr.write(`unknown group ${name}: ${Object.keys(groups).join(', ')}\n`);
  process.exit(2);
}
const isFuzz = name === 'fuzz';
const files = group.patterns
  .flatMap((pattern) => globSync(pattern))
  .filter(
    (file) => !file.includes('node_modules') && (isFuzz || filters.every((part) => file.includes(part))),
  )
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
const settings = {
  concurrency: group.concurrency ?? 1,
  timeoutMs: group.timeoutMs,
  environment: isFuzz && filters.length > 0 ? { GATEHOUSE_FUZZ_TARGETS: filters.join() } : {},
};
let { status, failed } = await runTestFiles(files, settings);
// What fails on a busy machine alone says something of the test; what fails twice, of us. Both are printed.
if (status !== 0 && name === 'e2e' && failed.length > 0 && failed.length <= AGAIN_MAX) {
  process.stdout.write(`\nonce more, alone: ${failed.join(' ')}\n`);
  ({ status, failed } = await runTestFiles(failed, settings));
}
process.exit(status);
