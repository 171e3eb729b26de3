import type { Load } from './load-process.ts';
import { cpuUsOf } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';
import { inRounds } from './rounds.ts';
import type { Subject } from './subject.ts';

/** Calls in flight and the connections that carry them, as in the reference measurements. */
const LOADS = [
  { concurrency: 1, connections: 1 },
  { concurrency: 32, connections: 4 },
  { concurrency: 256, connections: 8 },
] as const;

/** A new concurrency meets new connections and other code paths: these calls are not counted. */
const WARM_UP_PER_LOAD = 1_000;

/** CPU per call, throughput and latency of unary calls of about 300 bytes. */
export async function measureCalls(
  subjects: readonly Subject[],
  load: Load,
  options: BenchOptions,
  readings: Readings,
): Promise<void> {
  for (const { target } of subjects) {
    await load.open(target, 4);
    await load.run(target, 32, options.warmUpCalls);
  }
  await measureLoads(subjects, load, options, (subject, concurrency, calls) =>
    readOnce(subject, concurrency, calls, load, readings),
  );
}

/** Takes readings of every subject at each concurrency, after a warm-up. */
export async function measureLoads(
  subjects: readonly Subject[],
  load: Load,
  options: BenchOptions,
  read: (subject: Subject, concurrency: number, calls: number) => Promise<void>,
): Promise<void> {
  for (const { concurrency, connections } of LOADS) {
    const calls = concurrency === 1 ? options.callsAlone : options.callsTogether;
    for (const { target } of subjects) {
      await load.open(target, connections);
      await load.run(target, concurrency, Math.min(WARM_UP_PER_LOAD, options.warmUpCalls));
    }
    await inRounds(subjects, options.rounds, (subject) => read(subject, concurrency, calls));
  }
  for (const { target } of subjects) await load.close(target);
}

async function readOnce(
  { target, pid }: Subject,
  concurrency: number,
  calls: number,
  load: Load,
  readings: Readings,
): Promise<void> {
  const run = () => load.run(target, concurrency, calls);
  const { result, cpuUs } =
    pid === undefined ? { result: await run(), cpuUs: undefined } : await cpuUsOf(pid, run);
  const at = `concurrency ${concurrency}`;
  if (cpuUs !== undefined) readings.add(`CPU per call, ${at}`, 'µs', target.name, cpuUs / calls);
  readings.add(`throughput, ${at}`, 'calls/s', target.name, result.calls / result.seconds);
  readings.add(`p50, ${at}`, 'ms', target.name, result.p50Ms);
  readings.add(`p99, ${at}`, 'ms', target.name, result.p99Ms);
}
