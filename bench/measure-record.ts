import { type BenchRun, withSubjects } from './bench-run.ts';
import { gatehouseStarter } from './gatehouse.ts';
import { measureCpu, type Pressure } from './measure-calls.ts';

export const STRICT = 'gateway, strict record';
export const UNRECORDED = 'gateway, no record';

/** CPU per call with the relaxed and the strict record, and of a gateway whose record writes nothing. */
export async function measureRecord(run: BenchRun, pressure: Pressure): Promise<void> {
  if (!run.starters.has('gateway')) return;
  const wanted = [
    gatehouseStarter({ name: UNRECORDED, withoutRecord: true }),
    gatehouseStarter(),
    gatehouseStarter({ name: STRICT, audit: 'strict' }),
  ];
  await withSubjects(run, wanted, 'each', (subjects) =>
    measureCpu(run, subjects, pressure, recordFigure(pressure.concurrency), 2),
  );
}

export function recordFigure(concurrency: number): string {
  return `CPU per call by record, concurrency ${concurrency}`;
}
