import { TOTAL_FIGURE } from './measure-memory.ts';
import type { Readings } from './readings.ts';

/** One line of the bench's output, part of the project's stable surface. */
export interface Row {
  readonly figure: string;
  readonly unit: string;
  /** What the goal is about: mostly a ratio of medians. */
  readonly value: number;
  readonly goal: number;
  readonly better: 'lower' | 'higher';
  readonly against: string;
  /** Medians in the figure's own unit; `null` where a subject has none. */
  readonly ours: number;
  readonly theirs: number | null;
}

interface Goal {
  readonly figure: string;
  /** Name of the reading it is made of. */
  readonly reading: string;
  /**
   * `ratio`: ours / theirs. `added`: the same after direct is subtracted from both. `own`: ours alone.
   * `extra`: what ours costs beyond theirs, in percent of theirs.
   */
  readonly kind: 'ratio' | 'added' | 'own' | 'extra';
  readonly goal: number;
  readonly better: 'lower' | 'higher';
  readonly against: string;
  /** Whose figure it is: the gateway's, if not given. */
  readonly subject?: string;
}

const cpu = (concurrency: number, against: string, goal: number): Goal => ({
  figure: `CPU per call, concurrency ${concurrency}`,
  reading: `CPU per call, concurrency ${concurrency}`,
  kind: 'ratio',
  goal,
  better: 'lower',
  against,
});

const own = (figure: string, goal: number): Goal => ({
  figure,
  reading: figure,
  kind: 'own',
  goal,
  better: 'lower',
  against: 'nginx',
});

/** The project's goals, in the order of its plan. Figures that need parts not built yet are not listed. */
const GOALS: readonly Goal[] = [
  cpu(1, 'nginx', 3),
  cpu(32, 'nginx', 1.8),
  cpu(256, 'nginx', 1.2),
  {
    ...cpu(256, 'nginx', 1.2),
    figure: 'throughput, concurrency 256',
    reading: 'throughput, concurrency 256',
    better: 'higher',
  },
  {
    ...cpu(1, 'nginx', 2.5),
    figure: 'added p50, concurrency 1',
    reading: 'p50, concurrency 1',
    kind: 'added',
  },
  {
    ...own('CPU of the whole system per Workflow', 25),
    figure: 'extra CPU of the whole system per Workflow',
    kind: 'extra',
    against: 'direct',
  },
  ...[1, 32, 256].map((concurrency) => cpu(concurrency, 'rival', 0.8)),
  ...[1, 32, 256].map(
    (concurrency): Goal => ({
      figure: `sealing on against off, 1 KiB payloads, CPU per call, concurrency ${concurrency}`,
      reading: `CPU per call with a payload of 1 KiB, concurrency ${concurrency}`,
      kind: 'extra',
      goal: 25,
      better: 'lower',
      subject: 'gateway, sealing',
      against: 'gateway',
    }),
  ),
  ...[1, 32, 256].map(
    (concurrency): Goal => ({
      figure: `CPU per call with sealing and a payload of 1 KiB, concurrency ${concurrency}`,
      reading: `CPU per call with a payload of 1 KiB, concurrency ${concurrency}`,
      kind: 'ratio',
      goal: 0.7,
      better: 'lower',
      subject: 'gateway, sealing',
      against: 'rival, sealing',
    }),
  ),
  ...['100 KiB', '1 MiB'].map(
    (size): Goal => ({
      figure: `sealing of ${size} against AES-256-GCM alone`,
      reading: `sealing speed, ${size}`,
      kind: 'ratio',
      goal: 0.4,
      better: 'higher',
      against: 'openssl speed',
    }),
  ),
  own('memory per parked poll', 20),
  own('memory per idle connection', 130),
  { ...own('CPU per handshake', 2.2), kind: 'ratio' },
  own(TOTAL_FIGURE, 400),
];

/** Rows for all goals whose readings were taken in this run. */
export function rowsOf(readings: Readings): Row[] {
  return GOALS.flatMap((goal) => {
    const row = rowOf(goal, readings);
    return row === undefined ? [] : [row];
  });
}

function rowOf(goal: Goal, readings: Readings): Row | undefined {
  const { figure, goal: bound, better, against } = goal;
  const median = (subject: string) => readings.spread(goal.reading, subject)?.median;
  let ours = median(goal.subject ?? 'gateway');
  let theirs = median(against);
  if (ours === undefined) return undefined;
  const line = (unit: string, value: number): Row => ({
    figure,
    unit,
    value: round(value),
    goal: bound,
    better,
    against,
    ours: round(ours ?? 0),
    theirs: theirs === undefined ? null : round(theirs),
  });
  if (goal.kind === 'own') {
    return line(readings.figures().find((known) => known.figure === goal.reading)?.unit ?? '', ours);
  }
  if (theirs === undefined) return undefined;
  if (goal.kind === 'extra') return line('%', (ours / theirs - 1) * 100);
  if (goal.kind === 'added') {
    const direct = median('direct');
    if (direct === undefined) return undefined;
    ours -= direct;
    theirs -= direct;
  }
  return line('ratio', ours / theirs);
}

/** Four significant digits: readings scatter by a few per cent. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
