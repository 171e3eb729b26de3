import { type BenchRun, withSubjects } from './bench-run.ts';
import { gatehouseStarter } from './gatehouse.ts';
import { measureCpu, PRESSURES } from './measure-calls.ts';

const COUNTS = [10, 1_000, 10_000] as const;

/** CPU per call by the number of namespaces in the snapshot. The calls are all to one of them. */
export async function measureGrowth(run: BenchRun): Promise<void> {
  if (!run.starters.has('gateway')) return;
  const wanted = COUNTS.map((namespaces) => gatehouseStarter({ name: grownName(namespaces), namespaces }));
  await withSubjects(run, wanted, 'each', (subjects) =>
    measureCpu(run, subjects, PRESSURES[1], GROWTH_FIGURE, 2),
  );
}

export const GROWTH_FIGURE = 'CPU per call by namespaces in the snapshot, concurrency 32';

/** Name of the subject with so many namespaces. */
export function grownName(namespaces: (typeof COUNTS)[number]): string {
  return `gateway, ${namespaces.toLocaleString('en')} namespaces`;
}
