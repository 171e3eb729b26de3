import { type BenchRun, withSubjects } from './bench-run.ts';
import { cpuUsOf } from './measure.ts';
import { inRounds } from './rounds.ts';
import type { Subject } from './subject.ts';

/** Calls in flight, and the connections that carry them. */
export interface Pressure {
  readonly concurrency: number;
  readonly connections: number;
}

/** As in the reference measurements. */
export const PRESSURES = [
  { concurrency: 1, connections: 1 },
  { concurrency: 32, connections: 4 },
  { concurrency: 256, connections: 8 },
] as const satisfies readonly Pressure[];

/** A new concurrency meets new connections and other code paths: these calls are not counted. */
const WARM_UP_PER_PRESSURE = 1_000;

/** CPU per call, throughput and latency of unary calls of about 300 bytes. */
export async function measureCalls(run: BenchRun, pressure: Pressure): Promise<void> {
  const { load, readings } = run;
  const at = `concurrency ${pressure.concurrency}`;
  await withSubjects(run, run.starters.values(), 'one', (subjects) =>
    readUnder(run, subjects, pressure, async ({ target, pid }, calls) => {
      const work = () => load.run(target, pressure.concurrency, calls);
      const { result, cpuUs } =
        pid === undefined ? { result: await work(), cpuUs: undefined } : await cpuUsOf(pid, work);
      if (cpuUs !== undefined) readings.add(`CPU per call, ${at}`, 'µs', target.name, cpuUs / calls);
      readings.add(`throughput, ${at}`, 'calls/s', target.name, result.calls / result.seconds);
      readings.add(`p50, ${at}`, 'ms', target.name, result.p50Ms);
      readings.add(`p99, ${at}`, 'ms', target.name, result.p99Ms);
    }),
  );
}

/**
 * CPU per call alone, under a name of its own, of subjects that differ in one thing.
 * @param times how many times the rounds of other figures: small differences take more readings.
 */
export async function measureCpu(
  run: BenchRun,
  subjects: readonly Subject[],
  pressure: Pressure,
  figure: string,
  times = 1,
): Promise<void> {
  const options = { ...run.options, rounds: run.options.rounds * times };
  await readUnder({ ...run, options }, subjects, pressure, async ({ target, pid }, calls) => {
    if (pid === undefined) return;
    const { cpuUs } = await cpuUsOf(pid, () => run.load.run(target, pressure.concurrency, calls));
    run.readings.add(figure, 'µs', target.name, cpuUs / calls);
  });
}

/** Takes readings of every subject, after a warm-up. */
async function readUnder(
  { load, options }: BenchRun,
  subjects: readonly Subject[],
  { concurrency, connections }: Pressure,
  read: (subject: Subject, calls: number) => Promise<void>,
): Promise<void> {
  for (const { target } of subjects) {
    await load.open(target, 4);
    await load.run(target, 32, options.warmUpCalls);
    await load.open(target, connections);
    await load.run(target, concurrency, Math.min(WARM_UP_PER_PRESSURE, options.warmUpCalls));
  }
  const calls = concurrency === 1 ? options.callsAlone : options.callsTogether;
  await inRounds(subjects, options.rounds, (subject) => read(subject, calls));
  for (const { target } of subjects) await load.close(target);
}
