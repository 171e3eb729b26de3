import { join } from 'node:path';
import type { BenchCertificates } from './certificates.ts';
import { findFreePort } from './child.ts';
import { startEcho } from './echo-process.ts';
import type { Load } from './load-process.ts';
import { measureCalls } from './measure-calls.ts';
import { measureHandshakes } from './measure-handshakes.ts';
import { measureMemory } from './measure-memory.ts';
import { measureSealedCalls, measureSealingSpeed } from './measure-sealing.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';
import type { StartSubject, Subject } from './subject.ts';

/** What one part of a run works with. */
export interface BenchRun {
  readonly options: BenchOptions;
  readonly certificates: BenchCertificates;
  /** Private; removed at the end. */
  readonly folder: string;
  readonly load: Load;
  readonly readings: Readings;
  /** Takes what was asked for and could not be measured. */
  readonly skipped: string[];
  /** Progress, for the person who waits. */
  say(stage: string): void;
}

/** Everything measured against the echo engine: calls, handshakes, memory. */
export async function runAtEcho(
  run: BenchRun,
  starters: ReadonlyMap<string, StartSubject>,
  sealing: ReadonlyMap<string, StartSubject>,
): Promise<void> {
  const { options, certificates, folder, load, readings, skipped, say } = run;
  const jwksPort = await findFreePort();
  const echo = await startEcho(certificates, jwksPort);
  let instances = 0;
  const start = (name: string, starter: StartSubject) =>
    starter({
      enginePort: echo.port,
      jwksPort,
      certificates,
      folder: join(folder, `${name}-${instances++}`),
    });
  const subjects: Subject[] = [];
  try {
    if (options.figures.has('calls') || options.figures.has('handshakes')) {
      for (const [name, starter] of starters) subjects.push(await start(name, starter));
    }
    if (options.figures.has('calls')) {
      say('calls at concurrency 1, 32 and 256');
      await measureCalls(subjects, load, options, readings);
    }
    if (options.figures.has('handshakes')) {
      say('handshakes');
      await measureHandshakes(subjects, load, options, readings);
    }
    while (subjects.length > 0) await subjects.pop()?.stop();
    if (options.figures.has('sealing')) {
      say('sealing');
      await measureSealing(run, sealing, (name) => join(folder, `${name}-${instances++}`));
      measureSealingSpeed(options, readings, skipped);
    }
    for (const [name, starter] of options.figures.has('memory') ? starters : []) {
      if (name === 'direct') continue;
      say(`memory of ${name}`);
      await measureMemory(() => start(name, starter), load, echo, options, readings).catch((error: Error) => {
        skipped.push(`memory of ${name}: ${error.message}`);
      });
    }
  } finally {
    for (const subject of subjects) await subject.stop();
    echo.stop();
  }
}

/** Several gateways at once publish their token keys on ports of their own, so each has an echo engine of its own. */
async function measureSealing(
  { certificates, load, options, readings }: BenchRun,
  starters: ReadonlyMap<string, StartSubject>,
  folderOf: (name: string) => string,
): Promise<void> {
  const ends: (() => unknown)[] = [];
  const subjects: Subject[] = [];
  try {
    for (const [name, starter] of starters) {
      const jwksPort = await findFreePort();
      const echo = await startEcho(certificates, jwksPort);
      ends.push(() => echo.stop());
      const ground = { enginePort: echo.port, jwksPort, certificates, folder: folderOf(name) };
      const subject = await starter(ground);
      ends.push(() => subject.stop());
      subjects.push(subject);
    }
    await measureSealedCalls(subjects, load, options, readings);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}
