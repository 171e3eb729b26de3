import { randomUUID } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { DirectorySchema } from './schema.ts';

/** One step of the schema. Forward only; a released step is never changed. */
export interface Migration {
  readonly name: string;
  up(transaction: Transaction<DirectorySchema>): Promise<void>;
}

/** The schema's version is the number of steps that ran. */
export const migrations: readonly Migration[] = [
  { name: 'directory', up: createDirectory },
  { name: 'sealing', up: addSealing },
  { name: 'limits', up: addLimits },
  { name: 'nexus peers', up: addNexusPeers },
];

/** The database was made by a newer version: opening it could misread what it means. */
export class SchemaTooNewError extends Error {
  constructor(found: number, known: number) {
    super(
      `the directory database has schema version ${found}, this version of Gatehouse knows up to ${known}: upgrade Gatehouse`,
    );
    this.name = 'SchemaTooNewError';
  }
}

/** The database has no directory in it, where one must be. */
export class DirectoryMissingError extends Error {
  constructor() {
    super('the database holds no directory');
    this.name = 'DirectoryMissingError';
  }
}

export interface MigrateOptions {
  /** False: a database without a directory is an error and stays as it is. */
  readonly mayCreate: boolean;
  /** Runs first in the transaction: whoever comes second waits here (PostgreSQL; SQLite begins with its lock). */
  readonly lock: (transaction: Transaction<DirectorySchema>) => Promise<void>;
  readonly nowMs: number;
  readonly steps?: readonly Migration[];
}

/**
 * Brings the schema up to date. Each step is one transaction together with its mark, so an interrupted
 * migration leaves whole steps only, and processes that start at once run each step once.
 * @throws SchemaTooNewError, DirectoryMissingError
 */
export async function migrate(db: Kysely<DirectorySchema>, options: MigrateOptions): Promise<void> {
  const steps = options.steps ?? migrations;
  // Asked first without a lock, so that a replica starts on a read-only database too. Where the question
  // fails, the database is empty or away: what follows tells which.
  if ((await markedVersion(db).catch(() => undefined)) === steps.length) return;
  for (let done = false; !done; ) {
    done = await db.transaction().execute(async (transaction) => {
      await options.lock(transaction);
      const version = await ensureMarks(transaction, options.mayCreate);
      if (version > steps.length) throw new SchemaTooNewError(version, steps.length);
      const step = steps[version];
      if (step === undefined) return true;
      await step.up(transaction);
      await transaction
        .insertInto('directory_migrations')
        .values({ version: version + 1, name: step.name, applied_at_ms: options.nowMs })
        .execute();
      return false;
    });
  }
}

async function markedVersion(db: Kysely<DirectorySchema>): Promise<number> {
  const row = await db
    .selectFrom('directory_migrations')
    .select((columns) => columns.fn.max('version').as('version'))
    .executeTakeFirst();
  return row?.version ?? 0;
}

async function ensureMarks(transaction: Transaction<DirectorySchema>, mayCreate: boolean): Promise<number> {
  await sql`create table if not exists directory_migrations (
    version integer primary key, name text not null, applied_at_ms bigint not null)`.execute(transaction);
  const version = await markedVersion(transaction);
  // Thrown inside the transaction, so that the table made above goes again.
  if (version === 0 && !mayCreate) throw new DirectoryMissingError();
  return version;
}

async function createDirectory(transaction: Transaction<DirectorySchema>): Promise<void> {
  await sql`create table directory_state (
    id integer primary key check (id = 1), lineage text not null, revision bigint not null)`.execute(
    transaction,
  );
  await transaction
    .insertInto('directory_state')
    .values({ id: 1, lineage: randomUUID(), revision: 0 })
    .execute();
  await sql`create table accounts (
    id text primary key, created_at_ms bigint not null, revision bigint not null)`.execute(transaction);
  await sql`create table namespaces (
    uuid text primary key,
    id text not null,
    account text not null references accounts (id),
    region text not null,
    state text not null,
    retention_days integer not null,
    engine_id text,
    ca_bundle_pem text not null,
    certificate_filters text not null,
    allow_tls12 integer not null,
    nexus_endpoints text not null,
    audit_mode text not null,
    created_at_ms bigint not null,
    revision bigint not null)`.execute(transaction);
  // Of the rows with one name at most one is alive; the others are tombstones (T-054).
  await sql`create unique index namespaces_alive on namespaces (id) where state <> 'deleted'`.execute(
    transaction,
  );
  await sql`create index namespaces_revision on namespaces (revision)`.execute(transaction);
  await sql`create table token_keys (
    id integer primary key, created_at_ms bigint not null, kms_key_id text not null, wrapped text not null)`.execute(
    transaction,
  );
}

async function addSealing(transaction: Transaction<DirectorySchema>): Promise<void> {
  // The defaults are for the rows that are there: what their namespaces have stored is plaintext.
  for (const column of [
    "sealing text not null default 'off'",
    "sealed_attributes text not null default '[]'",
    "kms_key text not null default ''",
    "client_encryption text not null default 'off'",
    "plaintext_allowed text not null default '[]'",
  ]) {
    await sql`alter table namespaces add column ${sql.raw(column)}`.execute(transaction);
  }
  await sql`create table namespace_keys (
    id text primary key,
    namespace_uuid text not null references namespaces (uuid),
    ordinal integer not null,
    purpose text not null,
    created_at_ms bigint not null,
    kms_key_id text not null,
    wrapped text not null,
    state text not null,
    revision bigint not null,
    unique (namespace_uuid, ordinal))`.execute(transaction);
  await sql`create index namespace_keys_revision on namespace_keys (revision)`.execute(transaction);
  await sql`create table admin_words (
    id text primary key,
    at_ms bigint not null,
    actor text not null,
    method text not null,
    namespace text not null,
    outcome text not null,
    detail text not null,
    claimed_until_ms bigint not null)`.execute(transaction);
}

async function addLimits(transaction: Transaction<DirectorySchema>): Promise<void> {
  // Empty: the limits of the platform.
  await sql`alter table namespaces add column limits text not null default '{}'`.execute(transaction);
}

/** Who was connected before is not known: what is connected at the next start is written then. */
async function addNexusPeers(transaction: Transaction<DirectorySchema>): Promise<void> {
  await sql`alter table namespaces add column nexus_peers text not null default '[]'`.execute(transaction);
}
