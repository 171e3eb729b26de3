import { createBackoff } from '#base/runtime/backoff';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrations.ts';
import type { DirectoryListener } from './directory.ts';
import { applyChanges, type DirectoryImage } from './directory-image.ts';
import { createHeldImage, type HeldImage, type Moment, momentOf } from './held-image.ts';
import { createPause } from './pause.ts';
import { readChanges } from './read-changes.ts';
import type { SealedCopy } from './sealed-copy.ts';
import { createTrouble } from './trouble.ts';

/** While the database is away it is asked at least this often. */
const AWAY_POLL_MAX_MS = 2_000;

/**
 * Keeps an image of the directory in memory and follows the database: one question per poll, and one at once
 * for each hint and each write of our own. Questions run one after the other.
 */
export interface Follower {
  readonly held: Omit<HeldImage, 'confirm'>;
  /** Why the database does not confirm the image; undefined where it does. */
  trouble(): Error | undefined;
  onChange(listener: DirectoryListener): () => void;
  /** Asks the database now. Never rejects: see `trouble`. */
  catchUp(): Promise<void>;
  /** Begins to poll and to listen. */
  start(): void;
  close(): Promise<void>;
}

export interface FollowerOptions {
  readonly database: Database;
  /** From the sealed copy: nothing older is taken. */
  readonly seed: SealedCopy | undefined;
  /** A database without a directory gets one. */
  readonly mayCreate: boolean;
  readonly pollMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs before an image comes into force, and again with every confirmation. */
  readonly adopt: (image: DirectoryImage) => Promise<void>;
  /** Runs after every round, with the image in force. */
  readonly afterRound: (trouble: Error | undefined) => Promise<void>;
}

export function createFollower(options: FollowerOptions): Follower {
  const { database, clock, log, pollMs } = options;
  const held = createHeldImage(options.seed, clock);
  const trouble = createTrouble(clock, log);
  const listeners = new Set<DirectoryListener>();
  const question = createQuestion(options, held, (ids) => tell(listeners, held, ids, log));
  const pause = createPause();
  let tail: Promise<void> = Promise.resolve();
  let closed = false;

  const round = async (): Promise<void> => {
    if (closed) return;
    try {
      await question.ask();
      trouble.clear();
    } catch (error) {
      question.distrust();
      trouble.raise(error);
    }
    await options.afterRound(trouble.current);
  };
  const inTurn = (): Promise<void> => {
    tail = tail.then(round);
    return tail;
  };
  const poll = async (): Promise<void> => {
    const backoff = createBackoff(pollMs, Math.max(pollMs, AWAY_POLL_MAX_MS));
    while (!closed) {
      if (trouble.current === undefined) backoff.reset();
      await pause.forMs(trouble.current === undefined ? pollMs : backoff.next());
      await inTurn();
    }
  };
  let polling: Promise<void> | undefined;
  let unwatch: (() => void) | undefined;
  return {
    held,
    trouble: () => trouble.current,
    onChange(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    catchUp() {
      question.expectChange();
      return inTurn();
    },
    start() {
      unwatch ??= database.watch((lost) => {
        if (lost) question.distrust();
        question.expectChange();
        pause.end();
      });
      polling ??= poll();
    },
    async close() {
      closed = true;
      unwatch?.();
      pause.end();
      await polling;
      await tail;
    },
  };
}

interface Question {
  /** Brings the held image up to date, or throws where the database cannot confirm it. */
  ask(): Promise<void>;
  /** The next question reads, whatever the cheap one says. */
  expectChange(): void;
  /** The next question reads everything: what we know may come from a history that the database has lost. */
  distrust(): void;
}

function createQuestion(
  { database, mayCreate, adopt, log, clock }: FollowerOptions,
  held: HeldImage,
  onChanged: (ids: readonly string[]) => void,
): Question {
  let prepared = false;
  let distrusted = true;
  let expected = true;

  const prepare = async (nowMs: number): Promise<void> => {
    await database.prepare(mayCreate);
    await migrate(database.db, { mayCreate, lock: database.lockForMigration, nowMs });
    prepared = true;
  };
  const read = async (startedAt: Moment): Promise<void> => {
    const whole = distrusted;
    // Before the reading, so that word of a break or a change during it counts for the next.
    distrusted = false;
    expected = false;
    const changes = await readChanges(database.db, held.image, whole);
    const { image, changedIds } = applyChanges(held.image, changes, whole, log);
    await adopt(image);
    held.confirm(image, startedAt);
    if (changedIds.length > 0) onChanged(changedIds);
  };
  return {
    async ask() {
      // What is confirmed is the moment before the question: the answer may miss what came after.
      const startedAt = momentOf(clock);
      if (!prepared) await prepare(startedAt.wallMs);
      const changed = await database.hasChanged();
      const { image } = held;
      if (image === undefined || changed || expected || distrusted) return read(startedAt);
      await adopt(image);
      held.confirm(image, startedAt);
    },
    expectChange() {
      expected = true;
    },
    distrust() {
      distrusted = true;
    },
  };
}

function tell(
  listeners: ReadonlySet<DirectoryListener>,
  held: HeldImage,
  changedIds: readonly string[],
  log: Log,
): void {
  for (const listener of [...listeners]) {
    try {
      listener(held.snapshot(), changedIds);
    } catch (error) {
      // A listener's fault is its own: the others must still hear of a revocation.
      log.error('a listener of the directory failed', { error });
    }
  }
}
