import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Keeps a second process out of a folder that has one owner. Left behind by a killed process, the lock is
 * seen to be dead and taken over. It holds between processes that see each other; containers that share a
 * folder but not their process table need their own.
 */
export interface ProcessLock {
  release(): Promise<void>;
}

const LOCK_FILE = 'writer.lock';

/**
 * @param held what to say where another living process, or this one, holds the lock.
 * @throws Error with that text.
 */
export async function takeProcessLock(folder: string, held: (pid: number) => string): Promise<ProcessLock> {
  const path = join(folder, LOCK_FILE);
  const own = `${path}.${process.pid}.${process.hrtime.bigint()}.tmp`;
  await writeFile(own, JSON.stringify({ pid: process.pid, life: await lifeOf(process.pid) }), {
    mode: 0o600,
  });
  try {
    while (!(await linked(own, path))) {
      const holder = await readHolder(path);
      if (holder === undefined) continue;
      if (holder.life !== undefined && holder.life === (await lifeOf(holder.pid))) {
        throw new Error(held(holder.pid));
      }
      await removeDead(own, path, holder);
    }
  } finally {
    await unlink(own);
  }
  return { release: () => unlink(path).catch(ignoreMissing) };
}

/**
 * Removes a dead lock. One at a time: between reading a lock and removing it, another may have taken it over, and
 * a live one would be removed. Whoever finds somebody else at it looks again.
 */
async function removeDead(own: string, path: string, dead: Holder): Promise<void> {
  const guard = `${path}.takeover`;
  if (!(await linked(own, guard))) {
    const other = await readHolder(guard);
    const gone =
      other !== undefined && (other.life === undefined || other.life !== (await lifeOf(other.pid)));
    if (gone) await unlink(guard).catch(ignoreMissing);
    return;
  }
  try {
    const now = await readHolder(path);
    if (now?.pid === dead.pid && now.life === dead.life) await unlink(path).catch(ignoreMissing);
  } finally {
    await unlink(guard).catch(ignoreMissing);
  }
}

interface Holder {
  readonly pid: number;
  readonly life: string | undefined;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(ignoreMissing);
  if (text === undefined) return undefined;
  return parseHolder(text);
}

/** A lock is linked whole, so what cannot be read was torn by a crash of the machine: nobody holds it. */
function parseHolder(text: string): Holder {
  try {
    const { pid, life } = JSON.parse(text) as { pid?: unknown; life?: unknown };
    return { pid: Number(pid), life: typeof life === 'string' ? life : undefined };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return { pid: 0, life: undefined };
    throw error;
  }
}

/** What tells this life of a process id from others: boot and start time where the system says them. */
async function lifeOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    // The name in parentheses may hold anything, blanks too; state comes first after it, start time 20th.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${boot.trim()}/${fields[19]}`;
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return isCode(error, 'EPERM') ? 'alive' : undefined;
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!isCode(error, 'ENOENT')) throw error;
  return undefined;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
