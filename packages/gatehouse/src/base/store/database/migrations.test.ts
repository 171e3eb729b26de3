import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import type { Database } from './database.ts';
import {
  DirectoryMissingError,
  type Migration,
  migrate,
  migrations,
  SchemaTooNewError,
} from './migrations.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

let folder = '';
let made = 0;
const opened: Database[] = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-migrations-'));
});
after(async () => {
  for (const database of opened) await database.close();
  await rm(folder, { recursive: true });
});

async function freshDatabase(): Promise<Database> {
  made += 1;
  const database = openSqliteDatabase(join(folder, `${made}.db`));
  opened.push(database);
  await database.prepare(true);
  return database;
}

function run(database: Database, steps: readonly Migration[], mayCreate = true): Promise<void> {
  return migrate(database.db, { mayCreate, lock: database.lockForMigration, nowMs: 1, steps });
}

async function namesOf(database: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select name from sqlite_master where type = 'table' order by name`.execute(database.db);
  return rows.map((row) => row.name);
}

const second: Migration = {
  name: 'second',
  async up(transaction) {
    await sql`create table second (id integer primary key)`.execute(transaction);
  },
};
const broken: Migration = {
  name: 'broken',
  async up(transaction) {
    await sql`create table half_done (id integer primary key)`.execute(transaction);
    throw new Error('the power went');
  },
};

test('a migration that is interrupted leaves whole steps only, and the next start goes on from there', async () => {
  const database = await freshDatabase();
  await assert.rejects(run(database, [...migrations, second, broken]), /the power went/);
  assert.ok((await namesOf(database)).includes('second'));
  assert.equal((await namesOf(database)).includes('half_done'), false);
  const third: Migration = { ...second, name: 'third', up: async () => undefined };
  await run(database, [...migrations, second, third]);
  const marks = await database.db.selectFrom('directory_migrations').selectAll().orderBy('version').execute();
  assert.deepEqual(
    marks.map((mark) => ({ ...mark })),
    [
      { version: 1, name: 'directory', applied_at_ms: 1 },
      { version: 2, name: 'sealing', applied_at_ms: 1 },
      { version: 3, name: 'limits', applied_at_ms: 1 },
      { version: 4, name: 'nexus peers', applied_at_ms: 1 },
      { version: 5, name: 'second', applied_at_ms: 1 },
      { version: 6, name: 'third', applied_at_ms: 1 },
    ],
  );
});

test('older code refuses a newer schema and changes nothing', async () => {
  const database = await freshDatabase();
  await run(database, [...migrations, second]);
  await assert.rejects(run(database, migrations), SchemaTooNewError);
});

test('where a directory must be, an empty database stays empty', async () => {
  const database = await freshDatabase();
  await assert.rejects(run(database, migrations, false), DirectoryMissingError);
  assert.deepEqual(await namesOf(database), []);
});
