import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { EngineError } from './engine-error.ts';
import type { EngineHome } from './engine-home.ts';
import { isAlive, signal, waitUntilGone } from './process-signals.ts';

const TERM_LIMIT_MS = 10_000;
const KILL_LIMIT_MS = 5_000;

/** Remembers which process is this home's engine, for the start after a crash. */
export async function recordEngine(home: EngineHome, pid: number): Promise<void> {
  await writeFileAtomic(home.pidFile, `${pid}\n`);
}

export async function forgetEngine(home: EngineHome): Promise<void> {
  await rm(home.pidFile, { force: true });
}

/**
 * Ends an engine that a crashed run left on this home: two of them would write one database. The process is
 * ours only if its command line names this home's configuration file; a reused process id is left alone.
 * @returns its process id, or undefined where there was none.
 */
export async function stopStaleEngine(home: EngineHome): Promise<number | undefined> {
  const text = await readFile(home.pidFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const pid = Number(/^\d{1,10}$/.exec(text.trim())?.[0] ?? 0);
  if (pid < 2 || !isAlive(pid) || !(await isOurs(pid, home))) {
    await forgetEngine(home);
    return undefined;
  }
  signal(pid, 'SIGTERM');
  if (!(await waitUntilGone(pid, TERM_LIMIT_MS))) {
    signal(pid, 'SIGKILL');
    if (!(await waitUntilGone(pid, KILL_LIMIT_MS))) {
      throw new EngineError(`the engine of an earlier run (process ${pid}) cannot be stopped`);
    }
  }
  await forgetEngine(home);
  return pid;
}

async function isOurs(pid: number, home: EngineHome): Promise<boolean> {
  const words = await commandLine(pid);
  return words.includes(home.configFile);
}

async function commandLine(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (text !== undefined) return text.split('\0');
  // No /proc: macOS and the BSDs.
  const { stdout } = await promisify(execFile)('/bin/ps', ['-o', 'command=', '-p', String(pid)]).catch(
    () => ({
      stdout: '',
    }),
  );
  return stdout.trim().split(' ');
}
