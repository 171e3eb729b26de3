import { readFileSync } from 'node:fs';

/** Sends a signal; a process or group that is gone is no fault. A negative id is a process group. */
export function signal(pid: number, name: NodeJS.Signals): void {
  // 0, 1 and -1 would reach our own group, init or everybody.
  if (!Number.isInteger(pid) || Math.abs(pid) < 2) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a process with this id exists. One that belongs to somebody else exists too; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Waits until no process has this id. @returns false when the limit passed first. */
export async function waitUntilGone(pid: number, limitMs: number): Promise<boolean> {
  const endsAt = performance.now() + limitMs;
  while (isAlive(pid)) {
    if (performance.now() >= endsAt) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** Dead, but not collected: in a container whose first process does not collect orphans it stays for ever. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    // No /proc, or gone this moment: the next question tells.
    return false;
  }
}
