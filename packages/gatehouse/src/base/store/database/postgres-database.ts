import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { createBackoff } from '#base/runtime/backoff';
import { checkServerIdentity } from '#base/wire/check-server-identity';
import type { Database, DatabaseOptions, PostgresConnection } from './database.ts';
import type { DirectorySchema } from './schema.ts';

export type PostgresOptions = Extract<DatabaseOptions, { kind: 'postgres' }>;

const CHANNEL = 'gatehouse_directory';
/** Any number, the same in every version: it names the lock that migrations take in turn. */
const MIGRATION_LOCK = 7_233_001;
/** unique_violation (PostgreSQL manual, appendix A). */
const UNIQUE_VIOLATION = '23505';
/** Longer than any query of ours; a database that hangs is away for us. */
const QUERY_TIMEOUT_MS = 5_000;
/** Shorter: a server that still answers ends the query itself, and the connection stays of use. */
const STATEMENT_TIMEOUT_MS = 4_000;

/** The directory in PostgreSQL: a small pool for queries, one connection more to listen for changes. */
export function openPostgresDatabase(options: PostgresOptions): Database {
  const config = clientConfig(options);
  const pool = new pg.Pool({ ...config, max: 4, idleTimeoutMillis: 30_000 });
  const losses = new Set<() => void>();
  const lose = (): void => {
    for (const loss of losses) loss();
  };
  // A connection that breaks: the server may have failed over. The pool tells of idle ones only, so those in
  // use are listened to as well; unheard, the event would end the process.
  pool.on('error', lose);
  pool.on('connect', (client) => client.on('error', lose));
  const db = new Kysely<DirectorySchema>({ dialect: new PostgresDialect({ pool }) });
  return {
    db,
    async prepare() {
      // The database itself is made by its operator.
    },
    async lockForMigration(transaction) {
      await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`.execute(transaction);
    },
    async notify(transaction) {
      await sql`select pg_notify(${CHANNEL}, '')`.execute(transaction);
    },
    // The revision is one row away: the follower's own question is as cheap.
    hasChanged: async () => true,
    watch(hint) {
      const lost = (): void => hint(true);
      losses.add(lost);
      const stop = listen(config, hint);
      return () => {
        losses.delete(lost);
        stop();
      };
    },
    isDuplicate: (error) => error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION,
    async purge() {
      // Plain vacuum leaves the old bytes in the pages; this writes the live rows to a new file. The server's
      // own log and its backups are its operator's.
      await sql`vacuum full namespace_keys`.execute(db);
    },
    close: () => db.destroy(),
  };
}

function clientConfig(options: PostgresOptions): pg.ClientConfig {
  const common: pg.ClientConfig = {
    application_name: 'gatehouse',
    connectionTimeoutMillis: 3_000,
    query_timeout: QUERY_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: 2 * QUERY_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types: { getTypeParser },
  };
  if ('url' in options) return { ...common, connectionString: options.url.reveal().toString('utf8') };
  const { password, ssl, ...address } = options.connection;
  return {
    ...common,
    ...address,
    ...(password === undefined ? {} : { password: password.reveal().toString('utf8') }),
    ...(ssl === undefined ? {} : { ssl: tlsOf(ssl) }),
  };
}

function tlsOf(ssl: NonNullable<PostgresConnection['ssl']>): pg.ClientConfig['ssl'] {
  const { serverName, key, ...pem } = ssl;
  return {
    ...pem,
    ...(key === undefined ? {} : { key: key.reveal() }),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    // The driver asks for the host's name whatever it is told, so the check itself is told of another.
    checkServerIdentity: (host, certificate) => checkServerIdentity(serverName ?? host, certificate),
  };
}

/** `bigint` as a number: revisions and milliseconds stay far below 2^53. */
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8 && format !== 'binary'
    ? (value: string) => Number(value)
    : pg.types.getTypeParser(oid, format);

/** Listens until stopped, on a new connection whenever the old one broke. */
function listen(config: pg.ClientConfig, hint: (lost: boolean) => void): () => void {
  const backoff = createBackoff(200, 5_000);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let client: pg.Client | undefined;
  const connect = (): void => {
    const fresh = new pg.Client(config);
    client = fresh;
    let over = false;
    const again = (): void => {
      if (over) return;
      over = true;
      // Ends what may still be half open; that it is gone already is what we came for.
      fresh.end().catch(() => undefined);
      if (stopped) return;
      hint(true);
      timer = setTimeout(connect, backoff.next());
      timer.unref();
    };
    fresh.on('error', again);
    fresh.on('end', again);
    fresh.on('notification', () => hint(false));
    fresh
      .connect()
      .then(() => fresh.query(`listen ${CHANNEL}`))
      .then(() => {
        backoff.reset();
        // What was committed while nobody listened.
        hint(false);
      })
      .catch(again);
  };
  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    // A connection that broke needs no goodbye.
    client?.end().catch(() => undefined);
  };
}
