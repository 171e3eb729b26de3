import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { findCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import type { House } from '../../packages/gatehouse/src/testing/house.ts';

export interface StoredHit {
  readonly where: string;
  readonly form: string;
  readonly around: string;
}

/**
 * Every canary that lies anywhere in a house: in all files of its home as they are on disk (databases, their
 * write-ahead logs, logs, records), in each value of each row (a value may be cut in two by a page's end), in every
 * file that the engine's process holds open, deleted ones among them, and in the lines of the operator's log.
 */
export async function searchHouse(house: House): Promise<StoredHit[]> {
  const hits: StoredHit[] = [];
  const look = (where: string, bytes: Uint8Array): void => {
    for (const { form, around } of findCanaries(bytes)) hits.push({ where, form, around });
  };
  for (const path of await filesBelow(house.home)) {
    look(path, await readFile(path));
    if (path.endsWith('.db')) for (const { where, bytes } of valuesOf(path)) look(where, bytes);
  }
  for (const { path, bytes } of await openFilesOf(house.up.platform.engine.pid ?? 0)) look(path, bytes);
  look('log', Buffer.from(house.logLines.join('\n')));
  return hits;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Every text and blob of an SQLite database. */
function* valuesOf(path: string): Generator<{ readonly where: string; readonly bytes: Uint8Array }> {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    for (const { name } of tables) {
      for (const row of database.prepare(`SELECT * FROM "${name}"`).iterate()) {
        for (const [column, value] of Object.entries(row)) {
          const where = `${path} ${name}.${column}`;
          if (typeof value === 'string') yield { where, bytes: Buffer.from(value) };
          else if (value instanceof Uint8Array) yield { where, bytes: value };
        }
      }
    }
  } finally {
    database.close();
  }
}

/** On systems without /proc: none. */
async function openFilesOf(pid: number): Promise<{ readonly path: string; readonly bytes: Uint8Array }[]> {
  const folder = `/proc/${pid}/fd`;
  const found: { path: string; bytes: Uint8Array }[] = [];
  const numbers = await readdir(folder).catch(() => []);
  for (const number of numbers) {
    const path = await readlink(join(folder, number)).catch(() => '');
    // Sockets, pipes and devices are no store.
    if (!path.startsWith('/') || path.startsWith('/dev/') || path.startsWith('/proc/')) continue;
    const bytes = await readFile(join(folder, number)).catch(() => new Uint8Array(0));
    found.push({ path: `open file ${path}`, bytes });
  }
  return found;
}
