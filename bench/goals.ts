import { GOALS, type Goal } from './goal-table.ts';
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

/** A row, and how it stands to what was wanted. */
export interface Verdict {
  readonly row: Row;
  readonly beyond: number;
  readonly verdict: 'beyond' | 'met' | 'missed';
}

/** Verdicts on all goals whose readings were taken in this run. */
export function judge(readings: Readings): readonly Verdict[] {
  return GOALS.flatMap((goal) => {
    const row = rowOf(goal, readings);
    return row === undefined ? [] : [{ row, beyond: goal.beyond, verdict: verdictOf(row, goal) }];
  });
}

function verdictOf({ value }: Row, { goal, beyond, better }: Goal): Verdict['verdict'] {
  const reaches = (bound: number): boolean => (better === 'lower' ? value <= bound : value >= bound);
  if (reaches(beyond)) return 'beyond';
  return reaches(goal) ? 'met' : 'missed';
}

function rowOf(goal: Goal, readings: Readings): Row | undefined {
  const { figure, goal: bound, better, against, reading = figure } = goal;
  const median = (subject: string) => readings.spread(reading, subject)?.median;
  const ours = median(goal.subject ?? 'gateway');
  const theirs = median(against);
  if (ours === undefined) return undefined;
  const result = valueFrom(goal.kind, ours, theirs, median('direct'));
  if (result === undefined) return undefined;
  const unit = readings.figures().find((known) => known.figure === reading)?.unit ?? '';
  return {
    figure,
    unit: goal.kind === 'own' ? unit : result.unit,
    value: round(result.value),
    goal: bound,
    better,
    against,
    ours: round(result.ours ?? ours),
    theirs: theirs === undefined ? null : round(result.theirs ?? theirs),
  };
}

interface Value {
  readonly unit: string;
  readonly value: number;
  /** Where they are not the medians themselves. */
  readonly ours?: number;
  readonly theirs?: number;
}

function valueFrom(
  kind: Goal['kind'],
  ours: number,
  theirs: number | undefined,
  direct: number | undefined,
): Value | undefined {
  if (kind === 'own') return { unit: '', value: ours };
  if (theirs === undefined) return undefined;
  if (kind === 'extra') return { unit: '%', value: (ours / theirs - 1) * 100 };
  if (kind === 'share') return { unit: '%', value: (1 - theirs / ours) * 100 };
  if (kind === 'ratio') return { unit: 'ratio', value: ours / theirs };
  if (direct === undefined) return undefined;
  const added = { ours: ours - direct, theirs: theirs - direct };
  return { unit: 'ratio', value: added.ours / added.theirs, ...added };
}

/** Four significant digits: readings scatter by a few per cent. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
