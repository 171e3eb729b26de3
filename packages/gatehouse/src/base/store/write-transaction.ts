import type { Transaction } from 'kysely';
import { Refusal, refuse } from '#base/model/refusals';
import type { Log } from '#base/runtime/log';
import type { Database } from './database/database.ts';
import type { DirectorySchema } from './database/schema.ts';
import { DirectoryRewoundError } from './directory-image.ts';
import type { Known } from './read-changes.ts';

/** The inside of a write: a transaction that has the counter, and thereby the turn. */
export interface WriteScope {
  readonly transaction: Transaction<DirectorySchema>;
  /** What the changed rows must carry. */
  readonly revision: number;
}

export interface WriteTransactionOptions {
  readonly database: Database;
  /** What this replica has read: a database that is older or another must not be written. */
  readonly known: () => Known | undefined;
  readonly log: Log;
}

/**
 * Runs `work` in one transaction that first adds one to the directory's counter. The counter's row is locked
 * until the commit, so changes become visible in the order of their revisions and a reader that asks for
 * "after revision n" misses none.
 * @throws Refusal of `work`; `directory_unavailable` for everything that the database cannot do.
 */
export async function writeTransaction<T>(
  { database, known, log }: WriteTransactionOptions,
  work: (scope: WriteScope) => Promise<T>,
): Promise<T> {
  try {
    return await database.db.transaction().execute(async (transaction) => {
      const revision = await nextRevision(transaction, known());
      const result = await work({ transaction, revision });
      await database.notify(transaction);
      return result;
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // A duplicate that the work has not foreseen is a rival's row: the writer names it.
    if (database.isDuplicate(error)) {
      throw refuse('input_invalid', { publicDetail: 'it exists already', cause: error });
    }
    log.warn('a change of the directory failed', { error });
    throw refuse('directory_unavailable', { cause: error });
  }
}

async function nextRevision(
  transaction: Transaction<DirectorySchema>,
  known: Known | undefined,
): Promise<number> {
  const counted = transaction
    .updateTable('directory_state')
    .set((column) => ({ revision: column('revision', '+', 1) }))
    .where('id', '=', 1)
    .returning('revision');
  const guarded =
    known === undefined
      ? counted
      : counted.where('lineage', '=', known.lineage).where('revision', '>=', known.revision);
  const state = await guarded.executeTakeFirst();
  if (state === undefined) throw new DirectoryRewoundError('the directory database is older or another');
  return state.revision;
}
