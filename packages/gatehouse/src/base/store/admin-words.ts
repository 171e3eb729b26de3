import type { Kysely, Transaction } from 'kysely';
import type { AuditEvent } from '#base/model/audit-event';
import { refuse } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import { uuidV7 } from '#base/runtime/ids';
import type { Log } from '#base/runtime/log';
import type { AdminWordTable, DirectorySchema } from './database/schema.ts';
import type { AdminWord, AdminWords, NewAdminWord, WordHandler } from './directory.ts';
import { checkName, checkText } from './input-checks.ts';

/** Far longer than a word takes to handle: whoever has one in hand for longer is taken for dead. */
const CLAIM_MS = 60_000;
/** After a handler or a database that failed. */
const RETRY_MS = 5_000;
/** Read at once. */
const BATCH = 500;
/** As long as the audit chain keeps. */
const DETAIL_CHARS_MAX = 1_000;

/** {@link AdminWords} with what drives them. */
export interface WordPost extends AdminWords {
  /** Called after every round that confirmed a revision; does not wait for the handler. */
  attend(revision: number): void;
  close(): Promise<void>;
}

export interface WordPostOptions {
  readonly db: Kysely<DirectorySchema>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createWordPost({ db, clock, log }: WordPostOptions): WordPost {
  const take = (handler: WordHandler): Promise<number> => takeWords(db, clock, handler);
  let following: WordHandler | undefined;
  let running: Promise<void> | undefined;
  let seen: number | undefined;
  let nextAt = -Infinity;

  const round = async (handler: WordHandler, revision: number): Promise<void> => {
    try {
      await take(handler);
      seen = revision;
      // Once more then, without a change: another process may have died with a word in its hand.
      nextAt = clock.monotonicMs() + CLAIM_MS;
    } catch (error) {
      nextAt = clock.monotonicMs() + RETRY_MS;
      // Also for a new revision: a handler that fails is not asked with every change.
      seen = undefined;
      log.error('a word that was left for the platform could not be handled; it is tried again', { error });
    }
  };
  return {
    take,
    follow(handler) {
      if (following !== undefined) throw new Error('the words are followed already');
      following = handler;
      seen = undefined;
      nextAt = -Infinity;
      return () => {
        following = undefined;
      };
    },
    attend(revision) {
      if (following === undefined || running !== undefined) return;
      const isNews = seen !== undefined && revision !== seen;
      if (!isNews && clock.monotonicMs() < nextAt) return;
      running = round(following, revision).finally(() => {
        running = undefined;
      });
    },
    async close() {
      following = undefined;
      await running;
    },
  };
}

/** Leaves a word within a write. @throws Refusal `input_invalid` */
export async function insertWord(
  transaction: Transaction<DirectorySchema>,
  word: NewAdminWord,
  nowMs: number,
): Promise<void> {
  for (const text of [word.actor, word.method]) checkName('a word', text);
  for (const text of [word.namespace, word.outcome, word.detail]) {
    checkText('a word', text, DETAIL_CHARS_MAX);
  }
  const { actor, method, namespace, outcome, detail } = word;
  await transaction
    .insertInto('admin_words')
    .values({
      id: uuidV7(nowMs),
      at_ms: nowMs,
      actor,
      method,
      namespace,
      outcome,
      detail,
      claimed_until_ms: 0,
    })
    .execute();
}

async function takeWords(db: Kysely<DirectorySchema>, clock: Clock, handler: WordHandler): Promise<number> {
  let taken = 0;
  let rows = await asking(() => readWaiting(db, clock.now()));
  while (rows.length > 0) {
    taken += await takeBatch(db, clock, rows, handler);
    rows = await asking(() => readWaiting(db, clock.now()));
  }
  return taken;
}

async function takeBatch(
  db: Kysely<DirectorySchema>,
  clock: Clock,
  rows: readonly AdminWordTable[],
  handler: WordHandler,
): Promise<number> {
  let taken = 0;
  for (const row of rows) {
    const isOurs = await asking(() => claim(db, row.id, clock.now()));
    if (!isOurs) continue;
    try {
      await handler(wordOf(row));
    } catch (error) {
      // Given back; where that fails too, the claim runs out.
      await setClaim(db, row.id, 0).catch(() => undefined);
      throw error;
    }
    await asking(() => db.deleteFrom('admin_words').where('id', '=', row.id).execute());
    taken += 1;
  }
  return taken;
}

function readWaiting(db: Kysely<DirectorySchema>, nowMs: number): Promise<AdminWordTable[]> {
  return db
    .selectFrom('admin_words')
    .selectAll()
    .where('claimed_until_ms', '<=', nowMs)
    .orderBy('at_ms')
    .orderBy('id')
    .limit(BATCH)
    .execute();
}

/** @returns whether the word is ours: of several processes that ask, one gets it. */
async function claim(db: Kysely<DirectorySchema>, id: string, nowMs: number): Promise<boolean> {
  const claimed = await db
    .updateTable('admin_words')
    .set({ claimed_until_ms: nowMs + CLAIM_MS })
    .where('id', '=', id)
    .where('claimed_until_ms', '<=', nowMs)
    .returning('id')
    .executeTakeFirst();
  return claimed !== undefined;
}

async function setClaim(db: Kysely<DirectorySchema>, id: string, untilMs: number): Promise<void> {
  await db.updateTable('admin_words').set({ claimed_until_ms: untilMs }).where('id', '=', id).execute();
}

async function asking<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (cause) {
    throw refuse('directory_unavailable', { cause });
  }
}

const OUTCOMES: readonly AuditEvent['outcome'][] = ['ok', 'refused', 'error', 'cancelled', 'unknown'];

function wordOf(row: AdminWordTable): AdminWord {
  return {
    id: row.id,
    atMs: row.at_ms,
    actor: row.actor,
    method: row.method,
    namespace: row.namespace,
    // Recorded all the same: a word must not be lost for want of understanding it.
    outcome: OUTCOMES.find((outcome) => outcome === row.outcome) ?? 'unknown',
    detail: row.detail,
  };
}
