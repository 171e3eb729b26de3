import { cpus } from 'node:os';
import { type BenchRun, withSubjects } from './bench-run.ts';
import { gatehouseStarter } from './gatehouse.ts';
import { type Load, startLoad } from './load-process.ts';
import { cpuUsOf } from './measure.ts';
import { inRounds } from './rounds.ts';
import type { Subject } from './subject.ts';

/** Two for the gateway, two for the load, one for the echo engine. */
const CORES_MIN = 5;
const CONCURRENCY_PER_LOAD = 128;
/** Enough for the kernel to deal them out evenly. */
const CONNECTIONS_PER_LOAD = 32;
const PAYLOAD_BYTES = 1024;

/**
 * One gateway process against two on one port. Sealed calls of 1 KiB, since those cost the gateway several times
 * what they cost the echo engine, which has one core.
 */
export async function measureProcesses(run: BenchRun): Promise<void> {
  if (!run.starters.has('gateway')) return;
  const hasCores = cpus().length >= CORES_MIN;
  if (!hasCores) {
    run.leaveOut(
      `throughput of two processes: it takes ${CORES_MIN} cores, this machine has ${cpus().length}`,
    );
  }
  const second = startLoad();
  const wanted = [
    gatehouseStarter({ name: 'gateway', atRest: 'on' }),
    gatehouseStarter({ name: TWO_PROCESSES, atRest: 'on', processes: 2 }),
  ];
  try {
    await withSubjects(run, wanted, 'each', (subjects) =>
      compare(run, subjects, [run.load, second], hasCores),
    );
  } catch (error) {
    run.leaveOut(`two processes: ${error instanceof Error ? error.message.trim() : String(error)}`);
  } finally {
    second.stop();
  }
}

export const TWO_PROCESSES = 'gateway, two processes';
export const THROUGHPUT_FIGURE = 'throughput by processes';

async function compare(
  { options, readings }: BenchRun,
  subjects: readonly Subject[],
  loads: readonly Load[],
  hasCores: boolean,
): Promise<void> {
  const calls = Math.ceil(options.callsTogether / loads.length);
  const together = async (work: (load: Load) => Promise<{ readonly seconds: number }>): Promise<number> =>
    Math.max(...(await Promise.all(loads.map(work))).map(({ seconds }) => seconds));
  const loaded = subjects.map(({ pid = 0, target }) => ({
    pid,
    target: { ...target, payloadBytes: PAYLOAD_BYTES },
  }));
  for (const { target } of loaded) {
    for (const load of loads) await load.open(target, CONNECTIONS_PER_LOAD);
    await together((load) => load.run(target, CONCURRENCY_PER_LOAD, options.warmUpCalls));
  }
  await inRounds(loaded, options.rounds, async ({ target, pid }) => {
    const { cpuUs, result: seconds } = await cpuUsOf(pid, () =>
      together((load) => load.run(target, CONCURRENCY_PER_LOAD, calls)),
    );
    const all = calls * loads.length;
    readings.add('CPU per call by processes', 'µs', target.name, cpuUs / all);
    if (hasCores) readings.add(THROUGHPUT_FIGURE, 'calls/s', target.name, all / seconds);
  });
  for (const { target } of loaded) for (const load of loads) await load.close(target);
}
