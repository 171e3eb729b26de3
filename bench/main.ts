import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCertificates } from './certificates.ts';
import { hasGatehouse, startGatehouse, startSealingGatehouse } from './gatehouse.ts';
import { rowsOf } from './goals.ts';
import { startLoad } from './load-process.ts';
import { startNginx } from './nginx.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import { createReadings } from './readings.ts';
import { describeMachine, renderReport } from './report.ts';
import { rivalStarter } from './rival.ts';
import { runAtEcho } from './run-at-echo.ts';
import { runAtEngine } from './run-at-engine.ts';
import { type StartSubject, startDirect } from './subject.ts';

/** One line per kept run, for people to compare. */
const HISTORY = new URL('history.jsonl', import.meta.url);

async function runBench(options: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const skipped: string[] = [];
  const starters = chooseSubjects(options, skipped);
  const readings = createReadings();
  const load = startLoad();
  try {
    const run = { options, certificates: writeCertificates(folder), folder, load, readings, skipped, say };
    if (['calls', 'sealing', 'handshakes', 'memory'].some((figure) => options.figures.has(figure))) {
      await runAtEcho(run, starters, sealingSubjects(options));
    }
    if (options.figures.has('workflows')) await runAtEngine(run, starters.get('gateway'));
  } finally {
    load.stop();
  }
  const machine = describeMachine(options.quick ? 'quick' : 'full', options.rounds, skipped);
  const rows = rowsOf(readings);
  console.log(renderReport(machine, readings, rows));
  if (options.keep) appendFileSync(HISTORY, `${JSON.stringify({ date: new Date(), machine, rows })}\n`);
  if (options.json) console.log(JSON.stringify({ machine, rows }));
}

/** The subjects asked for and present; a missing one is named with what would bring it. */
function chooseSubjects(options: BenchOptions, skipped: string[]): Map<string, StartSubject> {
  const starters = new Map<string, StartSubject>();
  const wanted = (name: string): boolean => options.subjects.has(name);
  if (wanted('direct')) starters.set('direct', startDirect);
  if (wanted('nginx')) {
    if (spawnSync('nginx', ['-v']).error === undefined) starters.set('nginx', startNginx);
    else skipped.push('nginx is not on PATH (Debian: nginx-light): no figure against it');
  }
  if (wanted('gateway')) {
    if (hasGatehouse()) starters.set('gateway', startGatehouse);
    else skipped.push('the gateway has no command line yet: only the others were measured');
  }
  if (wanted('rival') && options.rival !== undefined) {
    if (existsSync(options.rival)) starters.set('rival', rivalStarter(options.rival));
    else skipped.push('the rival was not found where --rival says');
  }
  return starters;
}

/** The subjects of the sealing figures, where the gateway is measured at all. */
function sealingSubjects(options: BenchOptions): Map<string, StartSubject> {
  const starters = new Map<string, StartSubject>();
  if (!options.subjects.has('gateway') || !hasGatehouse()) return starters;
  starters.set('gateway', startGatehouse);
  starters.set('gateway, sealing', startSealingGatehouse);
  const { rival } = options;
  if (options.subjects.has('rival') && rival !== undefined && existsSync(rival)) {
    starters.set('rival, sealing', rivalStarter(rival, 'on'));
  }
  return starters;
}

/** Progress goes to standard error: standard output is the report. */
function say(stage: string): void {
  console.error(`bench: ${stage} ...`);
}

// Without this an interrupted run would leave its children and its folder behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await runBench(options);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  console.error(USAGE);
  process.exitCode = 1;
}
