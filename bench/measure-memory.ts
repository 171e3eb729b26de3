import { setTimeout as delay } from 'node:timers/promises';
import { type BenchRun, startEngineOf } from './bench-run.ts';
import type { Echo } from './echo-process.ts';
import type { Load } from './load-process.ts';
import { settledBytesOf } from './measure.ts';
import type { Subject } from './subject.ts';

/** Long enough for a proxy that opens an upstream connection per poll to open 10,000 of them on a busy machine. */
const PARK_MS_MAX = 120_000;

/** Memory counts once it has been at rest for this long (reference method). */
const SETTLE_MS = 4_000;

/** Calls before the first look at memory: code is compiled and buffers are there, the heap is not yet stretched. */
const WARM_UP_CALLS = 5_000;

/**
 * Memory of a parked poll (few connections, many polls) and of an idle connection (many connections), each in
 * a fresh process: memory that a process has once had, it mostly keeps.
 */
export async function measureMemory(run: BenchRun, name: string): Promise<void> {
  const start = run.starters.get(name);
  if (start === undefined) return;
  const { echo, ground } = await startEngineOf(run);
  try {
    await measureWith(run, echo, () => start({ ...ground, folder: run.newFolder() }));
  } catch (error) {
    // One that cannot hold so many is not to keep the others from being measured.
    run.leaveOut(`memory of ${name}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    echo.stop();
  }
}

async function measureWith(
  { load, options, readings }: BenchRun,
  echo: Echo,
  start: () => Promise<Subject>,
): Promise<void> {
  const size = options.quick
    ? { few: 40, pollsOnFew: 100, many: 400, pollsOnMany: 0, settleMs: 1_500 }
    : { few: 100, pollsOnFew: 100, many: 1_000, pollsOnMany: 10, settleMs: SETTLE_MS };
  const parts = { load, echo, start, settleMs: size.settleMs };
  await withFresh(parts, async ({ target }, bytes) => {
    await load.open(target, size.few);
    const connected = await bytes();
    await parkAll(target, size.few, size.pollsOnFew, parts);
    const perPoll = ((await bytes()) - connected) / (size.few * size.pollsOnFew);
    readings.add('memory per parked poll', 'KiB', target.name, perPoll / 1_024);
  });
  await withFresh(parts, async ({ target }, bytes) => {
    const before = await bytes();
    await load.open(target, size.many);
    // Clients make a call at once (GetSystemInfo), so a connection at rest has had one.
    await load.run(target, 4, size.many);
    const perConnection = ((await bytes()) - before) / size.many;
    readings.add('memory per idle connection', 'KiB', target.name, perConnection / 1_024);
    if (size.pollsOnMany === 0) return;
    await parkAll(target, size.many, size.pollsOnMany, parts);
    readings.add(TOTAL_FIGURE, 'MiB', target.name, (await bytes()) / 1_024 ** 2);
  });
}

export const TOTAL_FIGURE = 'memory, 10,000 polls on 1,000 connections';

interface Parts {
  readonly load: Load;
  readonly echo: Echo;
  readonly start: () => Promise<Subject>;
  readonly settleMs: number;
}

async function withFresh(
  { load, echo, start, settleMs }: Parts,
  look: (subject: Subject, bytes: () => Promise<number>) => Promise<void>,
): Promise<void> {
  const subject = await start();
  const { target, pid } = subject;
  try {
    if (pid === undefined) return;
    await load.open(target, 4);
    await load.run(target, 32, WARM_UP_CALLS);
    await load.close(target);
    await look(subject, () => settledBytesOf(pid, settleMs));
  } finally {
    await load.close(target);
    await subject.stop();
    await waitForParked(echo, 0);
  }
}

async function parkAll(
  target: Subject['target'],
  connections: number,
  polls: number,
  { load, echo }: Parts,
): Promise<void> {
  await load.park(target, polls);
  await waitForParked(echo, connections * polls);
}

async function waitForParked(echo: Echo, count: number): Promise<void> {
  for (const startedAt = performance.now(); ; await delay(100)) {
    const parked = await echo.parkedPolls();
    if (parked === count) return;
    if (performance.now() - startedAt > PARK_MS_MAX) {
      throw new Error(`${parked} polls are parked at the engine, not ${count}`);
    }
  }
}
