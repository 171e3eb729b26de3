import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely';
import type { Database } from './database.ts';
import type { DirectorySchema } from './schema.ts';
import { SqliteError, type SqliteThread, startSqliteThread } from './sqlite-thread.ts';

/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY (sqlite.org/rescode.html). */
const UNIQUE_CODES: ReadonlySet<number> = new Set([2067, 1555]);

/**
 * The directory in one file. Several processes may share it: WAL lets them read while one writes, and
 * `PRAGMA data_version` tells of the others' commits without a read of the file.
 */
export function openSqliteDatabase(path: string): Database {
  const holder = threadHolder(path);
  const db = new Kysely<DirectorySchema>({ dialect: sqliteDialect(holder) });
  let lastVersion: number | undefined;
  return {
    db,
    async prepare(mayCreate) {
      if (mayCreate) await createPrivateFile(path);
      await holder.current();
    },
    async lockForMigration() {
      // Every write transaction begins with the lock already.
    },
    async notify() {
      // Others see data_version. But a commit into a file that was taken away would be lost.
      const thread = await holder.current();
      if (!(await thread.watch()).inPlace) throw movedError(path);
    },
    async hasChanged() {
      const thread = await holder.current();
      const { dataVersion, inPlace } = await thread.watch();
      if (!inPlace) {
        await holder.drop();
        throw movedError(path);
      }
      const changed = dataVersion !== lastVersion;
      lastVersion = dataVersion;
      return changed;
    },
    watch: () => () => undefined,
    isDuplicate: (error) => error instanceof SqliteError && UNIQUE_CODES.has(error.sqliteCode),
    async purge() {
      // The pages are clean by `secure_delete`; the log still has them as they were.
      const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(db);
      if (rows[0]?.busy !== 0)
        throw new SqliteError('the write-ahead log is in use and still has old pages', 5);
    },
    async close() {
      await db.destroy();
      await holder.close();
    },
  };
}

function movedError(path: string): SqliteError {
  return new SqliteError(`the database file ${path} was moved, replaced or removed`, 0);
}

interface ThreadHolder {
  /** The running thread, or a new one in the place of one that ended. */
  current(): Promise<SqliteThread>;
  drop(): Promise<void>;
  close(): Promise<void>;
}

function threadHolder(path: string): ThreadHolder {
  let held: Promise<SqliteThread> | undefined;
  let closed = false;
  const drop = async (): Promise<void> => {
    const dropped = held;
    held = undefined;
    // A thread that never opened has nothing to close.
    const thread = await dropped?.catch(() => undefined);
    await thread?.close();
  };
  return {
    async current() {
      if (closed) throw new SqliteError('the directory is closed', 0);
      const starting = held ?? startSqliteThread({ path, mayCreate: false });
      held = starting;
      try {
        const thread = await starting;
        if (!thread.ended) return thread;
      } catch (error) {
        if (held === starting) held = undefined;
        throw error;
      }
      if (held === starting) held = undefined;
      return this.current();
    },
    drop,
    async close() {
      closed = true;
      await drop();
    },
  };
}

/** An empty file of mode 0600: SQLite takes it for a new database and gives its side files the same mode. */
async function createPrivateFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'a', 0o600);
  await file.close();
}

function sqliteDialect(holder: ThreadHolder): Dialect {
  return {
    createDriver: () => sqliteDriver(holder),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

function sqliteDriver(holder: ThreadHolder): Driver {
  const run = async (connection: DatabaseConnection, text: string): Promise<void> => {
    await connection.executeQuery(CompiledQuery.raw(text));
  };
  return {
    init: async () => undefined,
    acquireConnection: async () => connectionOn(await holder.current()),
    // A writer takes the lock at once: taking it in mid-transaction could find it lost to another.
    beginTransaction: (connection, { accessMode }) =>
      run(connection, accessMode === 'read only' ? 'begin' : 'begin immediate'),
    commitTransaction: (connection) => run(connection, 'commit'),
    rollbackTransaction: (connection) => run(connection, 'rollback'),
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  };
}

function connectionOn(thread: SqliteThread): DatabaseConnection {
  return {
    async executeQuery<R>(query: CompiledQuery) {
      const { rows, changes } = await thread.query(query.sql, query.parameters);
      // The compiler knows the row's type from the query, SQLite does not.
      return { rows: rows as R[], numAffectedRows: BigInt(changes) };
    },
    streamQuery() {
      throw new Error('the directory reads whole answers');
    },
  };
}
