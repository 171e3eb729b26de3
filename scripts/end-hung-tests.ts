import { readFile } from 'node:fs/promises';
import { setInterval } from 'node:timers/promises';

/** Clock ticks of /proc, which is 100 a second wherever Node runs (proc_pid_stat(5), field 22). */
const TICKS_PER_SECOND = 100;
const LOOK_EVERY_MS = 5000;

/**
 * Ends test processes of a runner that are older than they may be. The runner's own time limit asks them to end, which
 * one that computes without end never hears. Looks until the signal is given; where there is no /proc it ends none.
 */
export async function endHungTests(
  runnerPid: number,
  limits: { readonly olderThanMs: number; readonly onEnd: (command: string) => void },
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const _ of setInterval(LOOK_EVERY_MS, undefined, { signal })) {
      for (const pid of await childrenOf(runnerPid)) {
        if (!((await ageMs(pid)) > limits.olderThanMs)) continue;
        limits.onEnd(await commandOf(pid));
        process.kill(pid, 'SIGKILL');
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await textOf(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

/** Not a number where the process has ended meanwhile. */
async function ageMs(pid: number): Promise<number> {
  const uptime = Number((await textOf('/proc/uptime')).split(' ')[0]);
  const stat = await textOf(`/proc/${pid}/stat`);
  // The second field is a name in brackets that may hold anything; the third comes after the last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (uptime - Number(fields[19]) / TICKS_PER_SECOND) * 1000;
}

async function commandOf(pid: number): Promise<string> {
  return (await textOf(`/proc/${pid}/cmdline`)).split('\0').filter(Boolean).at(-1) ?? `process ${pid}`;
}

async function textOf(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}
