import type { BenchRun } from './bench-run.ts';
import { measureCalls, PRESSURES } from './measure-calls.ts';
import { measureGrowth } from './measure-growth.ts';
import { measureHandshakes } from './measure-handshakes.ts';
import { measureMemory } from './measure-memory.ts';
import { measureProcesses } from './measure-processes.ts';
import { measureRecord } from './measure-record.ts';
import { measureSealedCalls, measureSealingSpeed } from './measure-sealing.ts';
import { measureStart } from './measure-start.ts';
import { measureWorkflows } from './measure-workflows.ts';

/** A part of a run that starts all it needs and ends it: it can be repeated, or left for later, by itself. */
export interface Step {
  /** The group that `--figures` knows. */
  readonly figures: string;
  readonly name: string;
  measure(run: BenchRun): Promise<void>;
}

/** The whole of a run, in the order of the report. */
export const STEPS: readonly Step[] = [
  ...PRESSURES.map(
    (pressure): Step => ({
      figures: 'calls',
      name: `calls, concurrency ${pressure.concurrency}`,
      measure: (run) => measureCalls(run, pressure),
    }),
  ),
  ...(['SQLite', 'PostgreSQL'] as const).map(
    (storage): Step => ({
      figures: 'workflows',
      name: `Workflows on the real engine, ${storage}`,
      measure: (run) => measureWorkflows(run, storage),
    }),
  ),
  ...PRESSURES.map(
    (pressure): Step => ({
      figures: 'sealing',
      name: `sealed calls, concurrency ${pressure.concurrency}`,
      measure: (run) => measureSealedCalls(run, pressure),
    }),
  ),
  { figures: 'sealing', name: 'sealing of large payloads', measure: measureSealingSpeed },
  ...PRESSURES.slice(1).map(
    (pressure): Step => ({
      figures: 'record',
      name: `share of the record, concurrency ${pressure.concurrency}`,
      measure: (run) => measureRecord(run, pressure),
    }),
  ),
  ...['nginx', 'envoy', 'gateway', 'rival'].map(
    (subject): Step => ({
      figures: 'memory',
      name: `memory of ${subject}`,
      measure: (run) => measureMemory(run, subject),
    }),
  ),
  { figures: 'handshakes', name: 'handshakes', measure: measureHandshakes },
  { figures: 'growth', name: '10, 1,000 and 10,000 namespaces', measure: measureGrowth },
  { figures: 'start', name: 'second up, and one with a million events', measure: measureStart },
  { figures: 'processes', name: 'two processes', measure: measureProcesses },
];

/** Names of the groups. */
export const FIGURES: readonly string[] = [...new Set(STEPS.map(({ figures }) => figures))];
