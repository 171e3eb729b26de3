import type { BenchCertificates } from './certificates.ts';
import { findFreePort } from './child.ts';
import { type Echo, startEcho } from './echo-process.ts';
import type { Load } from './load-process.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';
import type { StartSubject, Subject, SubjectGround } from './subject.ts';

/** What each step of a run works with. */
export interface BenchRun {
  readonly options: BenchOptions;
  readonly certificates: BenchCertificates;
  readonly load: Load;
  readonly readings: Readings;
  /** The subjects asked for and present: `direct`, `nginx`, `envoy`, `gateway`, `rival`. */
  readonly starters: ReadonlyMap<string, StartSubject>;
  /** A name for a private folder that is not there yet; removed at the end of the run. */
  newFolder(): string;
  /** Takes what was asked for and could not be measured, with the reason. */
  leaveOut(reason: string): void;
}

/**
 * Starts the subjects, lends them, and ends them. `one` echo engine serves them all, unless there are several
 * gateways: those publish their token keys on ports of their own, so `each` has an echo engine of its own.
 */
export async function withSubjects(
  run: BenchRun,
  starters: Iterable<StartSubject>,
  engines: 'one' | 'each',
  use: (subjects: readonly Subject[]) => Promise<void>,
): Promise<void> {
  const ends: (() => unknown)[] = [];
  const subjects: Subject[] = [];
  let ground: Omit<SubjectGround, 'folder'> | undefined;
  try {
    for (const start of starters) {
      if (ground === undefined || engines === 'each') {
        const begun = await startEngineOf(run);
        ends.push(begun.echo.stop);
        ground = begun.ground;
      }
      const subject = await start({ ...ground, folder: run.newFolder() });
      ends.push(subject.stop);
      subjects.push(subject);
    }
    await use(subjects);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

/** An echo engine, and what a subject in front of it is built from. */
export async function startEngineOf(
  run: BenchRun,
): Promise<{ readonly echo: Echo; readonly ground: Omit<SubjectGround, 'folder'> }> {
  const { certificates } = run;
  const jwksPort = await findFreePort();
  const echo = await startEcho(certificates, jwksPort);
  return { echo, ground: { enginePort: echo.port, jwksPort, certificates } };
}
