import type { Kms } from '#base/crypto/kms';
import { refuse } from '#base/model/refusals';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { createWordPost, type WordPost } from './admin-words.ts';
import { type CopyKeeper, createCopyKeeper } from './copy-keeper.ts';
import type { Database, DatabaseOptions } from './database/database.ts';
import { SchemaTooNewError } from './database/migrations.ts';
import { openDatabase } from './database/open-database.ts';
import type { Directory, DirectoryState, WrappedNamespaceKey } from './directory.ts';
import { createDirectoryWriter, type DirectoryChecks } from './directory-writer.ts';
import { createFollower, type Follower } from './follower.ts';
import { readSealedCopy, type SealedCopy } from './sealed-copy.ts';
import { createTokenKeyStore, type TokenKeyStore, type TokenKeyTimes } from './token-keys.ts';
import { createTokenRotation } from './token-rotation.ts';
import { type WriteScope, writeTransaction } from './write-transaction.ts';

const DAY_MS = 86_400_000;
/** `PRAGMA data_version` costs microseconds; a query over the network more, and there NOTIFY comes first. */
const POLL_MS = { sqlite: 200, postgres: 1_000 } as const;

export interface OpenDirectoryOptions {
  readonly database: DatabaseOptions;
  /** Wraps the token-binding keys and seals the local copy. */
  readonly kms: Kms;
  /** The sealed local copy. A second file with `.stamp` at its end lies beside it. */
  readonly cachePath: string;
  /** False: another process of this home keeps the copy; this one only starts from it. */
  readonly keepsCopy?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** How often the database is asked: 200 ms for SQLite, 1 s for PostgreSQL. */
  readonly pollMs?: number;
  /** How old a snapshot may serve: 24 h. */
  readonly snapshotMaxAgeMs?: number;
  /** A new key a day, used once every serving replica must know it, accepted for 30 days after. */
  readonly tokenKeys?: Partial<TokenKeyTimes>;
  readonly checks?: DirectoryChecks;
}

/**
 * Opens the directory, makes it on first use, and follows it until closed. Where the database cannot be
 * reached, the sealed copy serves if it is young enough (F-05).
 * @throws Error with the reason and the fix.
 */
export async function openDirectory(options: OpenDirectoryOptions): Promise<Directory> {
  const { kms, clock, cachePath, snapshotMaxAgeMs = DAY_MS } = options;
  const log = options.log.with({ part: 'directory' });
  const times: TokenKeyTimes = {
    rotateMs: DAY_MS,
    activateAfterMs: snapshotMaxAgeMs,
    graceMs: 30 * DAY_MS,
    ...options.tokenKeys,
  };
  const copy = await loadCopy(cachePath, kms, log);
  const database = openDatabase(options.database);
  const keys = createTokenKeyStore(kms, clock, log, times);
  const keeper =
    options.keepsCopy === false ? noKeeper : createCopyKeeper({ path: cachePath, kms, clock, log });
  const write = <T>(work: (scope: WriteScope) => Promise<T>): Promise<T> =>
    writeTransaction({ database, known: () => follower.held.image, log }, work);
  // A directory that cannot be used, for want of its KMS key, leaves no copy behind.
  let isServing = false;
  const alarm = createAgeAlarm(snapshotMaxAgeMs, log);
  const words = createWordPost({ db: database.db, clock, log });
  const rotation = createTokenRotation({ kms, clock, log, times, write });
  const follower: Follower = createFollower({
    database,
    seed: copy.usable,
    // Where a copy lies, a directory was: an empty database in its place is a loss, not a beginning.
    mayCreate: !copy.exists,
    pollMs: options.pollMs ?? POLL_MS[options.database.kind],
    clock,
    log,
    adopt: keys.adopt,
    async afterRound(trouble) {
      if (isServing) alarm(follower.held.ageMs());
      const confirmed = follower.held.copy();
      if (trouble !== undefined || confirmed === undefined) return;
      if (isServing) {
        keeper.offer(confirmed);
        words.attend(confirmed.image.revision);
      }
      if (await rotation.attend(confirmed.image)) void follower.catchUp();
    },
  });
  try {
    await firstRounds(follower, keys, { copy, snapshotMaxAgeMs, cachePath });
  } catch (error) {
    await follower.close();
    await database.close();
    throw error;
  }
  isServing = true;
  const confirmed = follower.held.copy();
  if (follower.trouble() === undefined && confirmed !== undefined) {
    // On disk before anybody relies on it: the next start may be without the database.
    keeper.offer(confirmed);
    await keeper.flush();
  }
  follower.start();
  return directoryOver(
    { ...options, log, snapshotMaxAgeMs },
    { database, follower, keys, keeper, words, write },
  );
}

const noKeeper: CopyKeeper = { offer: () => undefined, flush: () => Promise.resolve() };

interface LoadedCopy {
  readonly exists: boolean;
  readonly usable?: SealedCopy;
  readonly problem: string;
}

async function loadCopy(path: string, kms: Kms, log: Log): Promise<LoadedCopy> {
  try {
    const usable = await readSealedCopy(path, kms);
    if (usable === undefined) return { exists: false, problem: `there is no sealed copy at ${path}` };
    return { exists: true, usable, problem: '' };
  } catch (error) {
    // The database may still be there; only without it does this end the start.
    log.error('the sealed copy of the directory cannot be used', { path, error });
    return { exists: true, problem: messageOf(error) };
  }
}

/** Asks the database, makes the first token key, or falls back on the copy. */
async function firstRounds(
  follower: Follower,
  keys: TokenKeyStore,
  from: { readonly copy: LoadedCopy; readonly snapshotMaxAgeMs: number; readonly cachePath: string },
): Promise<void> {
  await follower.catchUp();
  const trouble = follower.trouble();
  if (trouble instanceof SchemaTooNewError) throw trouble;
  if (trouble !== undefined) {
    const problem = copyProblem(from.copy, follower, from.snapshotMaxAgeMs);
    if (problem !== undefined) {
      throw new Error(
        `the directory database cannot be used (${messageOf(trouble)}), and ${problem}. Bring the database back; if it is gone for good, restore it from a backup and delete ${from.cachePath}`,
        { cause: trouble },
      );
    }
    const { image } = follower.held;
    if (image !== undefined) await keys.adopt(image);
  } else if (keys.keyring() === undefined) {
    // The round before made the first key, or another process did.
    await follower.catchUp();
  }
  if (keys.keyring() === undefined) {
    const reason = messageOf(follower.trouble() ?? 'none can be unwrapped by this KMS key');
    throw new Error(
      `the directory has no usable token-binding key (${reason}): use the KMS key that the directory was made with`,
    );
  }
}

function copyProblem(copy: LoadedCopy, follower: Follower, maxAgeMs: number): string | undefined {
  if (copy.usable === undefined) return copy.problem;
  const ageMs = follower.held.ageMs();
  if (ageMs <= maxAgeMs) return undefined;
  return `its sealed copy is too old (${hours(ageMs)} h; at most ${hours(maxAgeMs)} h may serve)`;
}

interface Parts {
  readonly database: Database;
  readonly follower: Follower;
  readonly keys: TokenKeyStore;
  readonly keeper: CopyKeeper;
  readonly words: WordPost;
  readonly write: <T>(work: (scope: WriteScope) => Promise<T>) => Promise<T>;
}

function directoryOver(
  options: OpenDirectoryOptions & { readonly snapshotMaxAgeMs: number },
  { database, follower, keys, keeper, words, write }: Parts,
): Directory {
  const state = (): DirectoryState => {
    if (follower.held.ageMs() > options.snapshotMaxAgeMs) return 'expired';
    return follower.trouble() === undefined ? 'current' : 'detached';
  };
  return {
    snapshot: () => follower.held.snapshot(),
    snapshotAgeMs: () => follower.held.ageMs(),
    state,
    onChange: follower.onChange,
    tokenKeys() {
      const keyring = keys.keyring();
      // Checked when the directory was opened; keys only ever come to it.
      if (keyring === undefined) throw new Error('the directory has no token-binding key');
      return keyring;
    },
    namespaceKeys: (uuid) => follower.held.image?.namespaceKeys.get(uuid) ?? NO_KEYS,
    refresh: follower.catchUp,
    words: { take: words.take, follow: words.follow },
    write: createDirectoryWriter({
      clock: options.clock,
      checks: options.checks ?? {},
      async write(work) {
        if (follower.trouble() !== undefined) await follower.catchUp();
        const trouble = follower.trouble();
        if (trouble !== undefined) throw refuse('directory_unavailable', { cause: trouble });
        const result = await write(work);
        await follower.catchUp();
        return result;
      },
      purge: () => purge(database, keeper),
    }),
    async close() {
      await follower.close();
      await words.close();
      await keeper.flush();
      await database.close();
    },
  };
}

/** The same list for every namespace without keys. */
const NO_KEYS: readonly WrappedNamespaceKey[] = Object.freeze([]);

/** What was wiped leaves the files that this process reaches; other replicas' copies follow by themselves. */
async function purge(database: Database, keeper: CopyKeeper): Promise<void> {
  try {
    await database.purge();
  } catch (cause) {
    throw refuse('directory_unavailable', { detail: 'wiped keys may still be in the database files', cause });
  }
  await keeper.flush();
}

/** F-04: one loud line when the ceiling is passed. */
function createAgeAlarm(maxAgeMs: number, log: Log): (ageMs: number) => void {
  let raised = false;
  return (ageMs) => {
    const isOver = ageMs > maxAgeMs;
    if (isOver && !raised) {
      log.error('the directory snapshot is too old to serve: new connections are refused', {
        ageMs,
        maxAgeMs,
      });
    }
    raised = isOver;
  };
}

function hours(ms: number): string {
  return (ms / 3_600_000).toFixed(1);
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
