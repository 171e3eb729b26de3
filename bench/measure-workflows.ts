import type { Load } from './load-process.ts';
import { cpuUsOf } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';
import type { RealEngine } from './real-engine.ts';
import { inRounds } from './rounds.ts';
import type { Subject } from './subject.ts';

/** Workflows in flight: the engine fires a timer up to a second late, and must not be idle meanwhile. */
const AT_ONCE = 16;

/** CPU of engine and proxy together per Workflow (start, activity, timer, signal, update), by way to the engine. */
export async function measureWorkflows(
  subjects: readonly Subject[],
  engine: RealEngine,
  load: Load,
  options: BenchOptions,
  readings: Readings,
): Promise<void> {
  for (const { target } of subjects) await load.workflows(target, options.workflows, AT_ONCE);
  // Half a minute per round: a quick run has one.
  await inRounds(subjects, options.quick ? 1 : options.rounds, async ({ target, pid }) => {
    const run = () => load.workflows(target, options.workflows, AT_ONCE);
    const { result: proxied, cpuUs: engineCpuUs } = await cpuUsOf(engine.pid, () =>
      pid === undefined ? run().then((result) => ({ result, cpuUs: 0 })) : cpuUsOf(pid, run),
    );
    const add = (figure: string, unit: string, value: number): void =>
      readings.add(figure, unit, target.name, value);
    add(
      'CPU of the whole system per Workflow',
      'ms',
      (engineCpuUs + proxied.cpuUs) / options.workflows / 1_000,
    );
    add('of it in the engine', 'ms', engineCpuUs / options.workflows / 1_000);
    add('p50 of a Workflow', 'ms', proxied.result.p50Ms);
  });
}
