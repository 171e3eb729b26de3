import { PRESSURES } from './measure-calls.ts';
import { GROWTH_FIGURE, grownName } from './measure-growth.ts';
import { TOTAL_FIGURE } from './measure-memory.ts';
import { THROUGHPUT_FIGURE, TWO_PROCESSES } from './measure-processes.ts';
import { recordFigure, STRICT, UNRECORDED } from './measure-record.ts';
import { SEALING, SIZES, sealedFigure, speedFigure } from './measure-sealing.ts';
import { MILLION, START_FIGURE } from './measure-start.ts';
import { SEALING_RIVAL } from './rival.ts';

/** What the project wants of one figure. */
export interface Goal {
  readonly figure: string;
  /** Name of the reading it is made of: that of the figure, if not given. */
  readonly reading?: string;
  /**
   * `ratio`: ours / theirs. `added`: the same after direct is subtracted from both. `own`: ours alone.
   * `extra`: what ours costs beyond theirs, in percent of theirs. `share`: the same in percent of ours.
   */
  readonly kind: 'ratio' | 'added' | 'own' | 'extra' | 'share';
  readonly goal: number;
  /** What would make us first in the field. */
  readonly beyond: number;
  readonly better: 'lower' | 'higher';
  readonly against: string;
  /** Whose figure it is: the gateway's, if not given. */
  readonly subject?: string;
}

/** The project's goals, in the order of its plan. */
export const GOALS: readonly Goal[] = [
  lower('CPU per call, concurrency 1', 'ratio', 'nginx', 3, 2.2),
  lower('CPU per call, concurrency 32', 'ratio', 'nginx', 1.8, 1.4),
  lower('CPU per call, concurrency 256', 'ratio', 'nginx', 1.2, 1),
  higher('throughput, concurrency 256', 'nginx', 1.2, 1.5),
  {
    ...lower('added p50, concurrency 1', 'added', 'nginx', 2.5, 1.7),
    reading: 'p50, concurrency 1',
  },
  ...['SQLite', 'PostgreSQL'].map((storage) => ({
    ...lower(`extra CPU of the whole system per Workflow, ${storage}`, 'extra', 'direct', 25, 12),
    reading: `CPU of the whole system per Workflow, ${storage}`,
  })),
  ...PRESSURES.map(({ concurrency }) => ({
    ...lower(
      `sealing on against off, 1 KiB payloads, concurrency ${concurrency}`,
      'extra',
      'gateway',
      25,
      12,
    ),
    reading: sealedFigure(concurrency),
    subject: SEALING,
  })),
  ...Object.keys(SIZES).map((size) => ({
    ...higher(`sealing of ${size} against AES-256-GCM alone`, 'openssl speed', 0.4, 0.7),
    reading: speedFigure(size),
  })),
  ...PRESSURES.map(({ concurrency }) => ({
    ...lower(`${sealedFigure(concurrency)}, sealed`, 'ratio', SEALING_RIVAL, 0.7, 0.5),
    reading: sealedFigure(concurrency),
    subject: SEALING,
  })),
  ...PRESSURES.map(({ concurrency }) =>
    lower(`CPU per call, concurrency ${concurrency}`, 'ratio', 'rival', 0.8, 0.6),
  ),
  ...PRESSURES.slice(1).flatMap(({ concurrency }) => [
    {
      ...lower(`share of the relaxed record, concurrency ${concurrency}`, 'share', UNRECORDED, 4, 2),
      reading: recordFigure(concurrency),
    },
    {
      ...lower(`share of the strict record, concurrency ${concurrency}`, 'share', UNRECORDED, 12, 6),
      reading: recordFigure(concurrency),
      subject: STRICT,
    },
  ]),
  lower('memory per parked poll', 'own', 'nginx', 20, 14),
  lower('memory per idle connection', 'own', 'nginx', 130, 90),
  lower('CPU per handshake', 'ratio', 'nginx', 2.2, 1.6),
  lower(TOTAL_FIGURE, 'own', 'nginx', 400, 300),
  {
    ...lower('CPU per call, 10,000 namespaces against 10', 'ratio', grownName(10), 1.1, 1.03),
    reading: GROWTH_FIGURE,
    subject: grownName(10_000),
  },
  lower(START_FIGURE, 'own', '-', 6, 3),
  {
    ...lower(`${START_FIGURE}, a million events on record`, 'own', 'gateway', 6, 3),
    reading: START_FIGURE,
    subject: MILLION,
  },
  {
    ...higher('throughput of two processes on two cores', 'gateway', 1.7, 1.9),
    reading: THROUGHPUT_FIGURE,
    subject: TWO_PROCESSES,
  },
];

function lower(figure: string, kind: Goal['kind'], against: string, goal: number, beyond: number): Goal {
  return { figure, kind, against, goal, beyond, better: 'lower' };
}

function higher(figure: string, against: string, goal: number, beyond: number): Goal {
  return { figure, kind: 'ratio', against, goal, beyond, better: 'higher' };
}
