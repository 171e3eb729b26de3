import { setTimeout as wait } from 'node:timers/promises';
import { refuse } from '#base/model/refusals';
import { createBackoff } from '#base/runtime/backoff';
import type { Clock } from '#base/runtime/clock';
import type { Log } from '#base/runtime/log';
import { openSegmentAppender } from './segment-appender.ts';
import type { SegmentFiles } from './segment-files.ts';

/**
 * Brings lines to disk in the order given: everything that waits goes out in one write, and there is never a
 * second one under way. Where somebody waits, an fdatasync follows at once; otherwise one follows within
 * `syncDelayMs`, since a sync costs more than all the rest: what was written survives the end of this process,
 * what was synced survives a loss of power. A line given is kept until it is synced, whatever fails.
 */
export interface GroupCommit {
  /**
   * Queues a line for a segment: a copy of a room's first bytes. Segments only ever grow by one; the first line of a
   * new one creates its file.
   */
  push(room: Buffer, bytes: number, segment: number): void;
  /**
   * Resolves when all lines pushed so far are on disk; asks for that at once.
   * @throws Refusal `audit_unavailable` as soon as the store fails. The lines stay queued all the same.
   */
  whenDurable(): Promise<void>;
  /** False while the store fails, stalls, or has more to write than it may hold. */
  writable(): boolean;
  /** Writes what is queued, then closes the file. @throws after `CLOSE_WAIT_MS` of failure, with the count lost. */
  close(): Promise<void>;
  readonly stats: Readonly<CommitStats>;
}

export interface CommitStats {
  /** Lines and bytes given and not yet on disk. */
  queuedLines: number;
  queuedBytes: number;
  commits: number;
  failures: number;
  /** Code of the error that keeps the store from being written; undefined while all is well. */
  failing: string | undefined;
}

export interface GroupCommitOptions {
  readonly folder: string;
  readonly files: SegmentFiles;
  readonly clock: Clock;
  readonly log: Log;
  /** Where to go on. `bytes` is the length of the whole segment; 0 means that its file is still to be made. */
  readonly start: { readonly segment: number; readonly bytes: number };
  /** How long a line that nobody waits for may wait for company. */
  readonly relaxedDelayMs: number;
  /** How long what was written may stay unsynced where nobody waits. */
  readonly syncDelayMs: number;
  readonly queueBytesMax: number;
}

interface Batch {
  readonly segment: number;
  /** Its first `bytes` are the lines. */
  room: Buffer;
  bytes: number;
  lines: number;
  readonly waiters: { resolve(): void; reject(error: Error): void }[];
}

/** One write holds the event loop while it is put together: 1 MiB is about 0.3 ms. */
const BATCH_BYTES_MAX = 1_048_576;
/** A sync that takes longer counts as a failed store: callers are refused, not queued (F-12). */
const STALL_MS = 2_000;
/**
 * A sync costs the same for one as for fifty. Where so many waited for the last one, the next waits so long for more of
 * them. Whoever calls alone does not wait: there were no others the last time either.
 */
const COMPANY_MIN = 4;
const COMPANY_DELAY_MS = 2;
const RETRY_FIRST_MS = 20;
const NOTHING = Buffer.alloc(0);
const ROOM_BYTES_MIN = 4_096;
const ROOM_EXCESS_MAX = 8;
const RETRY_MOST_MS = 1_000;
/** New memory for each group would be a garbage collection more every few seconds. */
const SPARE_ROOMS_MAX = 16;
const CLOSE_WAIT_MS = 5_000;

function emptyBatch(segment: number, room: Buffer): Batch {
  return { segment, room, bytes: 0, lines: 0, waiters: [] };
}

function addLine(batch: Batch, line: Buffer, bytes: number): void {
  const end = batch.bytes + bytes;
  if (end > batch.room.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(end, batch.room.length * 2));
    batch.room.copy(larger, 0, 0, batch.bytes);
    batch.room = larger;
  }
  line.copy(batch.room, batch.bytes, 0, bytes);
  batch.bytes = end;
  batch.lines += 1;
}

export function startGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { clock, log } = options;
  const stats: CommitStats = { queuedLines: 0, queuedBytes: 0, commits: 0, failures: 0, failing: undefined };
  const segments = openSegmentAppender(options);
  const queue: Batch[] = [];
  let underWay: Batch | undefined;
  let startedMs = 0;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let soon: NodeJS.Timeout | undefined;
  /** How many waited for the group before. */
  let company = 0;
  let syncTimer: NodeJS.Timeout | undefined;
  let closeByMs = Number.POSITIVE_INFINITY;
  let gaveUp = false;
  /** What the batch before took: the next one takes about as much. */
  let roomBytes = ROOM_BYTES_MIN;
  /** Of batches that are written and not synced: their bytes may have to be written again. */
  let heldRooms: Buffer[] = [];
  let spareRooms: Buffer[] = [];
  let cause: unknown;

  const isUrgent = (batch: Batch): boolean => batch.waiters.length > 0 || isPressing();

  /** Not to be put off, whoever waits. */
  const isPressing = (): boolean =>
    queue.length > 1 ||
    stats.queuedBytes >= Math.min(BATCH_BYTES_MAX, options.queueBytesMax) ||
    closeByMs !== Number.POSITIVE_INFINITY;

  const waitsForCompany = (): boolean => company >= COMPANY_MIN && !isPressing();

  const schedule = (): void => {
    const first = queue[0];
    if (running !== undefined || first === undefined || gaveUp) return;
    if (isUrgent(first) && waitsForCompany()) soon ??= setTimeout(start, COMPANY_DELAY_MS);
    else if (isUrgent(first)) immediate ??= setImmediate(start);
    else timer ??= setTimeout(start, options.relaxedDelayMs);
  };

  const start = (): void => {
    clearTimeout(timer);
    clearTimeout(soon);
    if (immediate !== undefined) clearImmediate(immediate);
    timer = undefined;
    soon = undefined;
    immediate = undefined;
    running ??= run().finally(() => {
      running = undefined;
      schedule();
      if (segments.hasUnsynced()) syncTimer ??= setTimeout(syncWhatIsWritten, options.syncDelayMs);
    });
  };

  const syncWhatIsWritten = (): void => {
    syncTimer = undefined;
    // Whoever loses by a failure learns of it by `writable`; here nobody waits.
    if (segments.hasUnsynced()) whenDurable().catch(() => undefined);
  };

  const whenDurable = (): Promise<void> => {
    let batch = queue.at(-1) ?? underWay;
    if (batch === undefined && segments.hasUnsynced()) {
      batch = emptyBatch(segments.current(), NOTHING);
      queue.push(batch);
    }
    if (batch === undefined) return Promise.resolve();
    if (stats.failing !== undefined) return Promise.reject(unavailable());
    const { waiters } = batch;
    return new Promise((resolve, reject) => {
      waiters.push({ resolve, reject });
      schedule();
    });
  };

  const run = async (): Promise<void> => {
    do {
      underWay = queue.shift();
      if (underWay === undefined) return;
      gaveUp = !(await commitUntilDone(underWay));
      if (gaveUp) return;
      underWay = undefined;
    } while (queue[0] !== undefined && isUrgent(queue[0]) && !waitsForCompany());
  };

  /** False only where the writer is closing and time is up: the batch is lost, and `close` says so. */
  const commitUntilDone = async (batch: Batch): Promise<boolean> => {
    let bytes = batch.room.subarray(0, batch.bytes);
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MOST_MS);
    for (;;) {
      startedMs = clock.monotonicMs();
      try {
        // A write that is taken says nothing of a store whose syncs fail: only a sync says that it is well again.
        const durable =
          batch.waiters.length > 0 || stats.failing !== undefined || closeByMs !== Number.POSITIVE_INFINITY;
        await segments.append(batch.segment, bytes, durable);
        // Somebody may have begun to wait meanwhile.
        if (durable || batch.waiters.length === 0) break;
        bytes = NOTHING;
      } catch (error) {
        fail(error, batch);
        if (clock.monotonicMs() >= closeByMs) return false;
        await wait(backoff.next());
      }
    }
    succeed(batch);
    return true;
  };

  const succeed = (batch: Batch): void => {
    if (stats.failing !== undefined) log.info('the audit store can be written again');
    stats.failing = undefined;
    stats.commits += 1;
    stats.queuedLines -= batch.lines;
    stats.queuedBytes -= batch.bytes;
    company = batch.waiters.length;
    keepRoom(batch.room);
    for (const waiter of batch.waiters) waiter.resolve();
  };

  const keepRoom = (room: Buffer): void => {
    if (room.length > 0) heldRooms.push(room);
    if (segments.hasUnsynced()) return;
    spareRooms = [...heldRooms, ...spareRooms].slice(0, SPARE_ROOMS_MAX);
    heldRooms = [];
  };

  /** One of about the size that the next batch will need, so that a busy hour is not held on to. */
  const takeRoom = (): Buffer => {
    const room = spareRooms.pop();
    const fits = room !== undefined && room.length >= roomBytes && room.length <= roomBytes * ROOM_EXCESS_MAX;
    // A power of two: groups of one rate differ a little, and fit each other's rooms.
    return fits ? room : Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(roomBytes)));
  };

  const fail = (error: unknown, batch: Batch): void => {
    if (stats.failing === undefined)
      log.error('the audit store cannot be written; calls are refused', { error });
    cause = error;
    stats.failing = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    stats.failures += 1;
    // Who waits is refused now rather than held until the disk is back; the records themselves stay.
    for (const waiting of [batch, ...queue]) {
      for (const waiter of waiting.waiters.splice(0)) waiter.reject(unavailable());
    }
  };

  const unavailable = (): Error => refuse('audit_unavailable', { detail: stats.failing ?? 'closed', cause });

  const isStalled = (): boolean => underWay !== undefined && clock.monotonicMs() - startedMs > STALL_MS;

  return {
    stats,
    push(room, bytes, segment) {
      let batch = queue.at(-1);
      if (batch === undefined || batch.segment !== segment || batch.bytes >= BATCH_BYTES_MAX) {
        batch = emptyBatch(segment, takeRoom());
        queue.push(batch);
      }
      addLine(batch, room, bytes);
      roomBytes = Math.max(ROOM_BYTES_MIN, batch.bytes);
      stats.queuedLines += 1;
      stats.queuedBytes += bytes;
      schedule();
    },
    whenDurable,
    writable: () => stats.failing === undefined && stats.queuedBytes < options.queueBytesMax && !isStalled(),
    async close() {
      clearTimeout(syncTimer);
      closeByMs = clock.monotonicMs() + CLOSE_WAIT_MS;
      if (segments.hasUnsynced()) whenDurable().catch(() => undefined);
      while ((queue.length > 0 || underWay !== undefined) && !gaveUp) {
        start();
        await running;
      }
      clearTimeout(syncTimer);
      await segments.close();
      if (stats.queuedLines > 0) {
        throw new Error(`${stats.queuedLines} audit records could not be written (${stats.failing})`, {
          cause,
        });
      }
    },
  };
}
