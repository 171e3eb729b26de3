import { Worker } from 'node:worker_threads';
import type { SqliteReply, SqliteRequest, SqliteResult, SqliteWorkerData } from './sqlite-worker.ts';

/** A request without its number: the thread gives that. */
type Unnumbered<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never;

interface Waiter {
  resolve(reply: SqliteReply): void;
  reject(error: Error): void;
}

/** An error of SQLite or of its thread. */
export class SqliteError extends Error {
  /** SQLite's extended result code; 0 where the thread itself failed. */
  readonly sqliteCode: number;

  constructor(message: string, sqliteCode: number) {
    super(message);
    this.name = 'SqliteError';
    this.sqliteCode = sqliteCode;
  }
}

/**
 * One database, opened once, on one thread. A thread that ended stays ended: what began a transaction on it
 * can never go on with half of it on the next.
 */
export interface SqliteThread {
  readonly ended: boolean;
  query(sql: string, parameters: readonly unknown[]): Promise<SqliteResult>;
  watch(): Promise<{ readonly dataVersion: number; readonly inPlace: boolean }>;
  close(): Promise<void>;
}

/** Starts the thread and waits until the database is open. @throws SqliteError */
export async function startSqliteThread(workerData: SqliteWorkerData): Promise<SqliteThread> {
  // Run from source or from the build: the thread's file has the ending that this one has.
  const file = import.meta.url.endsWith('.ts') ? './sqlite-worker.ts' : './sqlite-worker.js';
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData,
    name: 'gatehouse-sqlite',
    // None of the process' own flags: some of them, such as those of `--eval`, no thread can start with.
    execArgv: [],
  });
  const waiting = new Map<number, Waiter>();
  let lastId = 0;
  let endedBy: Error | undefined;
  const end = (error: Error): void => {
    endedBy ??= error;
    for (const waiter of waiting.values()) waiter.reject(endedBy);
    waiting.clear();
  };
  const wait = (id: number): Promise<SqliteReply> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
  const ask = async (request: Unnumbered<SqliteRequest>): Promise<SqliteReply> => {
    if (endedBy !== undefined) throw endedBy;
    lastId += 1;
    const reply = wait(lastId);
    worker.postMessage({ ...request, id: lastId });
    const answer = await reply;
    if ('error' in answer) throw new SqliteError(answer.error.message, answer.error.sqliteCode);
    return answer;
  };
  worker.on('message', (reply: SqliteReply) => {
    waiting.get(reply.id)?.resolve(reply);
    waiting.delete(reply.id);
  });
  worker.on('error', (error) => end(new SqliteError(messageOf(error), 0)));
  worker.on('exit', () => end(new SqliteError('the SQLite thread has ended', 0)));
  await wait(0);
  return threadOver(worker, ask, () => endedBy !== undefined);
}

function threadOver(
  worker: Worker,
  ask: (request: Unnumbered<SqliteRequest>) => Promise<SqliteReply>,
  ended: () => boolean,
): SqliteThread {
  return {
    get ended() {
      return ended();
    },
    async query(sql, parameters) {
      const reply = await ask({ kind: 'query', sql, parameters: parameters.map(toSqlValue) });
      if (!('result' in reply)) throw new SqliteError('the SQLite thread gave another answer', 0);
      return reply.result;
    },
    async watch() {
      const reply = await ask({ kind: 'watch' });
      if (!('watched' in reply)) throw new SqliteError('the SQLite thread gave another answer', 0);
      return reply.watched;
    },
    async close() {
      // A thread that ended by itself has nothing left to close.
      if (!ended()) await ask({ kind: 'close' }).catch(() => undefined);
      await worker.terminate();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function toSqlValue(value: unknown): string | number | null {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  throw new TypeError(`the directory stores text and numbers only, not ${typeof value}`);
}
