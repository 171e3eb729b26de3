import assert from 'node:assert/strict';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { Secret } from '#base/crypto/secret';
import type { DatabaseOptions } from '#base/store/database/database';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';

/** One database of either kind, with what a test may do to it from outside. */
export interface TestDatabase {
  readonly options: DatabaseOptions;
  /** The same as plain data, for another process. */
  readonly plain: unknown;
  sql(text: string): Promise<unknown[]>;
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

/** A kind of database, started once for a file of tests. */
export interface TestKind {
  readonly name: string;
  /** How often its writer is killed: a new process each time. */
  readonly killRounds: number;
  start(): Promise<void>;
  make(folder: string): Promise<TestDatabase>;
  end(): Promise<void>;
}

export const sqlite: TestKind = {
  name: 'SQLite',
  killRounds: 4,
  start: async () => undefined,
  end: async () => undefined,
  async make(folder) {
    const path = join(folder, 'directory.db');
    return {
      options: { kind: 'sqlite', path },
      plain: { kind: 'sqlite', path },
      async sql(text) {
        const db = new DatabaseSync(path);
        try {
          return db.prepare(text).all();
        } finally {
          db.close();
        }
      },
      // With a folder in its place nothing can make a new file there.
      async goAway() {
        await rename(path, `${path}.away`);
        await mkdir(path);
      },
      async comeBack() {
        await rmdir(path);
        await rename(`${path}.away`, path);
      },
    };
  },
};

let server: EmbeddedPostgres;
let databases = 0;
export const postgres: TestKind = {
  name: 'PostgreSQL',
  killRounds: 2,
  async start() {
    server = await startEmbeddedPostgres();
  },
  end: () => server.close(),
  async make() {
    databases += 1;
    const name = `directory_${databases}`;
    await runOnPostgres('postgres', `create database ${name}`);
    const { password, ...address } = server.connection(name);
    const url = server.url(name);
    // Both forms of the option are used.
    const options: DatabaseOptions =
      databases % 2 === 0
        ? { kind: 'postgres', url: new Secret(Buffer.from(url)) }
        : { kind: 'postgres', connection: { ...address, password: new Secret(Buffer.from(password)) } };
    return {
      options,
      plain: { kind: 'postgres', url },
      sql: (text) => runOnPostgres(name, text),
      goAway: () => server.stop(),
      comeBack: () => server.start(),
    };
  },
};

async function runOnPostgres(database: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(server.connection(database));
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Waits for a condition, not for a time. */
export async function until(what: string, condition: () => boolean, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > end) assert.fail(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
