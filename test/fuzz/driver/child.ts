// One target in a process of its own: started by run-target.ts, which reads what this writes.

import { createHash } from 'node:crypto';
import { mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Coverage } from './coverage.ts';
import { loadTarget, readCorpus, seedsOf } from './fuzz-target.ts';
import { Finding, Fuzzer } from './fuzzer.ts';

/** The one argument, as JSON. */
export interface ChildTask {
  readonly file: string;
  readonly seconds: number;
  readonly seed: number;
  readonly corpus: string;
  /** Holds the input under way. */
  readonly statePath: string;
  /** Where an input that breaks a promise goes. */
  readonly findingPath: string;
  /** Sources whose path holds this are counted in. */
  readonly sources: string;
  /** The corpus is written anew: the smallest inputs that run all that was run. */
  readonly keep: boolean;
}

/** The one line that is written at the end. */
export type ChildOutcome =
  | { readonly runs: number; readonly inputs: number; readonly features: number; readonly places: number }
  | { readonly fault: string };

const FILES_MAX = 40;
/** Inputs that once showed a fault stay whatever they run. */
const FOUND = 'found-';

async function main(task: ChildTask): Promise<ChildOutcome> {
  const coverage = new Coverage();
  coverage.watch(task.sources, task.file);
  const target = await loadTarget(task.file);
  const stateFd = openSync(task.statePath, 'w');
  const fuzzer = new Fuzzer(target, coverage, { seed: task.seed, stateFd });
  const endsAt = performance.now() + task.seconds * 1000;
  try {
    await fuzzer.begin([...readCorpus(task.corpus), ...(await seedsOf(target))]);
    await fuzzer.fuzzUntil(endsAt);
    if (task.keep) keepCorpus(task.corpus, await fuzzer.smallest(FILES_MAX));
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    writeFileSync(task.findingPath, error.input);
    return { fault: error.message };
  }
  const { features, places } = coverage;
  return { runs: fuzzer.runs, inputs: fuzzer.corpus.length, features, places };
}

function keepCorpus(folder: string, inputs: readonly Buffer[]): void {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!name.startsWith(FOUND)) rmSync(join(folder, name));
  for (const input of inputs) {
    const name = createHash('sha256').update(input).digest('hex').slice(0, 12);
    writeFileSync(join(folder, name), input);
  }
}

const outcome = await main(JSON.parse(process.argv[2] ?? '') as ChildTask);
// Whatever a target left open must not keep the process.
process.stdout.write(`\n${JSON.stringify(outcome)}\n`, () => process.exit());
