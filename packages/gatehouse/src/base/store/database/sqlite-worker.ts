import { statSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

/** The thread that SQLite runs on: it opens one database, answers in order, and ends with its parent. */
export interface SqliteWorkerData {
  readonly path: string;
  readonly mayCreate: boolean;
}

export type SqliteRequest =
  | {
      readonly id: number;
      readonly kind: 'query';
      readonly sql: string;
      readonly parameters: SQLInputValue[];
    }
  | { readonly id: number; readonly kind: 'watch' }
  | { readonly id: number; readonly kind: 'close' };

export interface SqliteResult {
  readonly rows: unknown[];
  readonly changes: number;
}

export type SqliteReply =
  | { readonly id: number; readonly result: SqliteResult }
  | { readonly id: number; readonly watched: { readonly dataVersion: number; readonly inPlace: boolean } }
  | { readonly id: number; readonly error: { readonly message: string; readonly sqliteCode: number } };

const port = parentPort;
if (port === null) throw new Error('sqlite-worker runs as a worker thread only');
const { path, mayCreate } = workerData as SqliteWorkerData;

function openDatabase(): DatabaseSync {
  const url = pathToFileURL(path);
  // `rw` does not create: a database that went away must not come back empty.
  url.searchParams.set('mode', mayCreate ? 'rwc' : 'rw');
  const db = new DatabaseSync(url, { timeout: 5_000, enableForeignKeyConstraints: true });
  // FULL syncs the log on every commit; in WAL mode NORMAL would lose acknowledged writes with the power.
  // What is deleted is overwritten, so that a key that was destroyed is not found in a free page.
  db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on');
  return db;
}

const db = openDatabase();
const opened = statSync(path);

/** False once the path leads to another file, as after a restore, or to none. */
function isInPlace(): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.ino === opened.ino && found.dev === opened.dev;
}

function query(sql: string, parameters: SQLInputValue[]): SqliteResult {
  const statement = db.prepare(sql);
  if (statement.columns().length > 0) {
    const rows = statement.all(...parameters);
    return { rows, changes: rows.length };
  }
  return { rows: [], changes: Number(statement.run(...parameters).changes) };
}

function answer(request: SqliteRequest): SqliteReply {
  try {
    if (request.kind === 'query') {
      return { id: request.id, result: query(request.sql, request.parameters) };
    }
    if (request.kind === 'close') {
      db.close();
      return { id: request.id, result: { rows: [], changes: 0 } };
    }
    const row = db.prepare('pragma data_version').get();
    return {
      id: request.id,
      watched: { dataVersion: Number(row?.['data_version']), inPlace: isInPlace() },
    };
  } catch (error) {
    const sqliteCode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0;
    return { id: request.id, error: { message: String((error as Error).message), sqliteCode } };
  }
}

port.on('message', (request: SqliteRequest) => port.postMessage(answer(request)));
port.postMessage({ id: 0, result: { rows: [], changes: 0 } } satisfies SqliteReply);
