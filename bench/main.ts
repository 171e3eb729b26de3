import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCertificates } from './certificates.ts';
import { chooseSubjects } from './choose-subjects.ts';
import { judge } from './goals.ts';
import { type KeptSteps, openKeptSteps } from './kept-steps.ts';
import { startLoad } from './load-process.ts';
import { type BenchOptions, parseOptions, usage } from './options.ts';
import { createReadings } from './readings.ts';
import { describeMachine, renderReport } from './report.ts';
import { FIGURES, STEPS, type Step } from './steps.ts';

/** One line per kept run, for people to compare. */
const HISTORY = new URL('history.jsonl', import.meta.url);

async function runBench(options: BenchOptions): Promise<void> {
  const machine = describeMachine(options);
  const kept = openKeptSteps(options.resume, machine);
  const leftOut = await measureAll(options, kept);
  const results = STEPS.flatMap(({ name }) => kept.result(name) ?? []);
  const readings = createReadings(results.flatMap(({ series }) => series));
  leftOut.push(...results.flatMap((result) => result.leftOut));
  const verdicts = judge(readings);
  const report = { machine: { ...machine, skipped: leftOut }, rows: verdicts.map(({ row }) => row) };
  console.log(renderReport(machine, leftOut, readings, verdicts));
  if (options.keep) appendFileSync(HISTORY, `${JSON.stringify({ date: new Date(), ...report })}\n`);
  if (options.json) console.log(JSON.stringify(report));
}

/** Goes through the steps that are asked for and not done yet. @returns what is left out, and why. */
async function measureAll(options: BenchOptions, kept: KeptSteps): Promise<string[]> {
  const leftOut: string[] = [];
  const starters = chooseSubjects(options, (reason) => leftOut.push(reason));
  const wanted = STEPS.filter(({ figures }) => options.figures.has(figures));
  const open = wanted.filter(({ name }) => kept.result(name) === undefined);
  if (open.length === 0) return leftOut;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const certificates = writeCertificates(folder);
  const load = startLoad();
  let folders = 0;
  const newFolder = (): string => join(folder, String(folders++));
  const begun = performance.now();
  const minutes = (): number => (performance.now() - begun) / 60_000;
  try {
    for (const [number, step] of open.entries()) {
      if (minutes() > options.minutes) {
        leftOut.push(`${open.length - number} steps, for want of time: the same command again has them`);
        break;
      }
      say(`${number + 1} of ${open.length}, minute ${minutes().toFixed(1)}: ${step.name}`);
      leftOut.push(...(await measureStep(step, kept, { options, certificates, load, starters, newFolder })));
    }
  } finally {
    load.stop();
  }
  return leftOut;
}

/** A step that could read nothing is not done. @returns why it could not. */
async function measureStep(
  step: Step,
  kept: KeptSteps,
  ground: Omit<Parameters<Step['measure']>[0], 'readings' | 'leaveOut'>,
): Promise<readonly string[]> {
  const readings = createReadings();
  const leftOut: string[] = [];
  await step.measure({ ...ground, readings, leaveOut: (reason) => leftOut.push(reason) });
  const series = readings.series();
  if (series.length === 0) return leftOut;
  kept.keep(step.name, { series, leftOut });
  return [];
}

/** Progress goes to standard error: standard output is the report. */
function say(stage: string): void {
  console.error(`bench: ${stage} ...`);
}

// Every child that runs has a listener for our end.
process.setMaxListeners(50);

// Without this an interrupted run would leave its children and its folder behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  const options = parseOptions(process.argv.slice(2), FIGURES);
  if (options.help) console.log(usage(FIGURES));
  else await runBench(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  console.error('npm run bench -- --help has the options');
  process.exitCode = 1;
}
