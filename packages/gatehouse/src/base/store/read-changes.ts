import { type Kysely, sql, type Transaction } from 'kysely';
import { migrations, SchemaTooNewError } from './database/migrations.ts';
import type { DirectorySchema, NamespaceKeyTable, NamespaceTable, TokenKeyRow } from './database/schema.ts';

/** What the database said at one moment. */
export interface Changes {
  readonly lineage: string;
  readonly revision: number;
  /** Absent: nothing changed since the revision that was asked from. */
  readonly rows?: ChangedRows;
}

export interface ChangedRows {
  /** In the order of their changes; with all of them asked for, without tombstones. */
  readonly namespaces: readonly NamespaceTable[];
  /** Those of living namespaces, each namespace's in the order of their making. */
  readonly namespaceKeys: readonly NamespaceKeyTable[];
  /** Always all of them: they are few. */
  readonly tokenKeys: readonly TokenKeyRow[];
}

export interface Known {
  readonly lineage: string;
  readonly revision: number;
}

/**
 * Reads what changed after `known`, or with `whole` everything. One row where nothing did, and where the
 * database is not the one that is known or is older than what is.
 * @throws SchemaTooNewError where a newer version has changed the tables meanwhile.
 */
export async function readChanges(
  db: Kysely<DirectorySchema>,
  known: Known | undefined,
  whole: boolean,
): Promise<Changes> {
  const state = await readState(db);
  if (known !== undefined) {
    const isUnchanged = state.revision === known.revision && !whole;
    if (state.lineage !== known.lineage || state.revision < known.revision || isUnchanged) return state;
  }
  // All tables and the counter as of one moment.
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (transaction) => {
      const now = await readState(transaction);
      const after = known === undefined || whole ? undefined : known.revision;
      const namespaces = await readNamespaces(transaction, after);
      const namespaceKeys = await readNamespaceKeys(transaction, after);
      const tokenKeys = await transaction.selectFrom('token_keys').selectAll().orderBy('id').execute();
      return { ...now, rows: { namespaces, namespaceKeys, tokenKeys } };
    });
}

function readNamespaces(
  transaction: Transaction<DirectorySchema>,
  after: number | undefined,
): Promise<NamespaceTable[]> {
  const query = transaction.selectFrom('namespaces').selectAll().orderBy('revision');
  const narrowed =
    after === undefined ? query.where('state', '<>', 'deleted') : query.where('revision', '>', after);
  return narrowed.execute();
}

function readNamespaceKeys(
  transaction: Transaction<DirectorySchema>,
  after: number | undefined,
): Promise<NamespaceKeyTable[]> {
  const query = transaction
    .selectFrom('namespace_keys')
    .selectAll()
    .where('namespace_uuid', 'in', (namespaces) =>
      namespaces.selectFrom('namespaces').select('uuid').where('state', '<>', 'deleted'),
    )
    .orderBy('namespace_uuid')
    .orderBy('ordinal');
  return (after === undefined ? query : query.where('revision', '>', after)).execute();
}

async function readState(db: Kysely<DirectorySchema>): Promise<Known> {
  const row = await db
    .selectFrom('directory_state')
    .select(['lineage', 'revision'])
    .select(sql<number>`(select max(version) from directory_migrations)`.as('version'))
    .where('id', '=', 1)
    .executeTakeFirstOrThrow();
  if (row.version > migrations.length) throw new SchemaTooNewError(row.version, migrations.length);
  return { lineage: row.lineage, revision: row.revision };
}
