import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What the processes of one proxy have used since they started. */
export interface Usage {
  /** utime + stime, summed, in microseconds; its grain is one clock tick, mostly 10 ms. */
  readonly cpuUs: number;
  /** VmRSS, summed, in bytes. */
  readonly residentBytes: number;
}

/** Work that follows an answer (flushing a record, closing a stream) belongs to the call: wait for it. */
const AFTERMATH_MS = 60;

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU of a process tree while `work` runs, in microseconds. */
export async function cpuUsOf<T>(pid: number, work: () => Promise<T>): Promise<{ cpuUs: number; result: T }> {
  const before = usageOf(pid).cpuUs;
  const result = await work();
  await delay(AFTERMATH_MS);
  return { cpuUs: usageOf(pid).cpuUs - before, result };
}

/** Resident bytes of a process tree after it has been at rest for `settleMs`. */
export async function settledBytesOf(pid: number, settleMs: number): Promise<number> {
  await delay(settleMs);
  return usageOf(pid).residentBytes;
}

/** @throws Error (ENOENT) when the process is gone: a proxy that died must not count as a cheap one. */
function usageOf(pid: number): Usage {
  let cpuUs = 0;
  let residentBytes = 0;
  for (const member of treeOf(pid)) {
    cpuUs += (ticksOf(member) / TICKS_PER_SECOND) * 1e6;
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${member}/status`, 'utf8'));
    residentBytes += Number(resident?.[1] ?? 0) * 1_024;
  }
  return { cpuUs, residentBytes };
}

function treeOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name and may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
