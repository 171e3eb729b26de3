import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditEvent } from '#base/model/audit-event';
import type { Clock } from '#base/runtime/clock';
import { uuidV7 } from '#base/runtime/ids';
import type { Log } from '#base/runtime/log';
import { type ProcessLock, takeProcessLock } from '#base/runtime/process-lock';
import { makePrivateFolder } from '#base/runtime/safe-file';
import type { AuditSigningKey } from './audit-signing-key.ts';
import type { AuditDataKeys } from './fields/audit-data-keys.ts';
import { createFieldSealer } from './fields/field-sealer.ts';
import { createFolding } from './folding.ts';
import { startGroupCommit } from './group-commit.ts';
import { writeLatestCheckpoint } from './latest-checkpoint.ts';
import { startLinking } from './linking.ts';
import { FORMAT } from './marker-lines.ts';
import { type ChainEnd, repairTail } from './repair.ts';
import { diskSegmentFiles, type SegmentFiles } from './segment-files.ts';
import { systemEvent } from './system-event.ts';
import { publishVerificationKey } from './verification-keys.ts';

/** The one writer of a chain. Nothing given to it is dropped while the process lives. */
export interface AuditWriter {
  /**
   * Queues a record; it is on disk some milliseconds later. Costs about 2 µs, never waits, never fails
   * because of the disk. Floods of one refusal are folded (see `folding.ts`).
   */
  append(event: AuditEvent): void;
  /**
   * Resolves when the record is on disk.
   * @throws Refusal `audit_unavailable` as soon as the store fails. The record stays queued, so it may well
   *   be written later: the caller learns only that it is not safe yet.
   */
  appendStrict(event: AuditEvent): Promise<void>;
  /** Ask before a call reaches the engine. False: answer `audit_unavailable` (F-08). Turns true by itself. */
  writable(): boolean;
  /** Resolves when all appended so far, also what folding holds, is on disk. */
  flush(): Promise<void>;
  /** Signs and writes what is left. Append nothing afterwards. */
  close(): Promise<void>;
  stats(): AuditWriterStats;
}

export interface AuditWriterStats {
  /** Sequence number of the next record. */
  readonly seq: number;
  readonly segment: number;
  readonly queuedRecords: number;
  readonly queuedBytes: number;
  readonly commits: number;
  readonly failures: number;
  /** Code of the error that keeps the store from being written, such as `ENOSPC`. */
  readonly failing: string | undefined;
  readonly checkpoints: number;
}

export interface AuditWriterOptions {
  /** Where the chain is, one writer to a folder. Made if missing (0700). */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signingKey: AuditSigningKey;
  /** What seals the fields that may hold what is personal. Closed with the writer. */
  readonly dataKeys: AuditDataKeys;
  /** Also what a start has to read: 16 MiB take about 0.2 s. */
  readonly segmentBytesMax?: number;
  /** The longest that a record stays unsigned. */
  readonly checkpointMs?: number;
  /**
   * The longest that a relaxed record waits for company; what a killed process can lose of them. Each group
   * costs about 0.3 ms of CPU, however large, most of it for waking up: with few calls that is a fifth of theirs at
   * 20 ms, and half of that at 50.
   */
  readonly relaxedDelayMs?: number;
  /** The longest that a relaxed record is written but not synced: only a loss of power can take it then. */
  readonly syncDelayMs?: number;
  /** Above it `writable()` is false. Calls under way may still append: their records are kept. */
  readonly queueBytesMax?: number;
  /** How many alike refusals a second are written out before the rest is folded. */
  readonly foldAfter?: number;
  readonly files?: SegmentFiles;
}

/**
 * Opens the chain in a folder for writing, repairing a torn tail, or begins one.
 * @throws AuditChainCorrupt, or where the folder cannot be written or is written by another process.
 */
export async function openAuditWriter(options: AuditWriterOptions): Promise<AuditWriter> {
  const { folder } = options;
  await makePrivateFolder(folder);
  // A second writer would take the first one's half-written line for a torn tail.
  const lock = await takeProcessLock(
    folder,
    (pid) => `the audit chain in ${folder} is being written by process ${pid}`,
  );
  try {
    await removeLeftovers(folder);
    const end = await repairTail(folder);
    await publishVerificationKey(folder, options.signingKey);
    return await startWriter(options, end, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function startWriter(
  options: AuditWriterOptions,
  end: ChainEnd,
  lock: ProcessLock,
): Promise<AuditWriter> {
  const { folder, clock, log, signingKey, checkpointMs = 10_000 } = options;
  const commit = startGroupCommit({
    folder,
    files: options.files ?? diskSegmentFiles,
    clock,
    log,
    start: { segment: end.last?.header.segment ?? 1, bytes: end.last?.bytes ?? 0 },
    relaxedDelayMs: options.relaxedDelayMs ?? 50,
    syncDelayMs: options.syncDelayMs ?? 200,
    queueBytesMax: options.queueBytesMax ?? 33_554_432,
  });
  const latest = keepLatestCheckpoint(folder, log, commit.whenDurable);
  const chain = end.last?.header.chain ?? uuidV7(clock.now());
  const linking = startLinking({
    clock,
    signingKey,
    end,
    chain,
    sealer: createFieldSealer(chain, options.dataKeys, clock),
    segmentBytesMax: options.segmentBytesMax ?? 16_777_216,
    push: commit.push,
    onCheckpoint: latest.keep,
  });
  let timer: NodeJS.Timeout | undefined;

  const checkpoint = (): void => {
    clearTimeout(timer);
    timer = undefined;
    linking.checkpoint();
  };
  const record = (event: AuditEvent): void => {
    linking.record(event);
    timer ??= setTimeout(checkpoint, checkpointMs).unref();
  };
  const folding = createFolding({
    clock,
    emit: record,
    ...(options.foldAfter === undefined ? {} : { freeCount: options.foldAfter }),
  });
  let closed = false;
  const assertOpen = (): void => {
    if (closed) throw new Error('the audit writer is closed');
  };

  recordOpening(end, signingKey, clock, record, linking.rotate);
  checkpoint();
  await commit.whenDurable().catch(async (error: unknown) => {
    await commit.close().catch(() => log.debug('the audit chain was not begun'));
    throw error;
  });

  return {
    append(event) {
      assertOpen();
      folding.offer(event);
    },
    async appendStrict(event) {
      assertOpen();
      record(event);
      await commit.whenDurable();
    },
    writable: () => !closed && commit.writable(),
    async flush() {
      folding.flush();
      await commit.whenDurable();
    },
    async close() {
      if (closed) return;
      closed = true;
      folding.flush();
      record(systemEvent(clock, 'audit.stop', {}));
      checkpoint();
      try {
        await commit.close();
        await latest.settled();
        await options.dataKeys.close();
      } finally {
        await lock.release();
      }
    },
    stats: () => ({
      seq: linking.seq(),
      segment: linking.segment(),
      queuedRecords: commit.stats.queuedLines,
      queuedBytes: commit.stats.queuedBytes,
      commits: commit.stats.commits,
      failures: commit.stats.failures,
      failing: commit.stats.failing,
      checkpoints: linking.checkpoints(),
    }),
  };
}

function recordOpening(
  end: ChainEnd,
  signingKey: AuditSigningKey,
  clock: Clock,
  record: (event: AuditEvent) => void,
  rotate: () => void,
): void {
  const before = end.last?.header.keyId;
  if (before !== undefined && before !== signingKey.keyId) {
    record(
      systemEvent(clock, 'audit.signing-key', {
        severity: 'high',
        detail: `signed by ${signingKey.keyId} from here, before by ${before}`,
      }),
    );
    rotate();
  } else if (end.last !== undefined && end.last.header.format !== FORMAT) {
    // Written by an earlier version: a segment is of one format.
    rotate();
  }
  if (end.cutBytes > 0) {
    record(
      systemEvent(clock, 'audit.repair', {
        severity: 'medium',
        detail: `${end.cutBytes} bytes of a torn tail were cut`,
      }),
    );
  }
  record(systemEvent(clock, 'audit.start', {}));
}

/** Writes each checkpoint's copy once the checkpoint itself is on disk; of several waiting ones the newest. */
function keepLatestCheckpoint(
  folder: string,
  log: Log,
  whenDurable: () => Promise<void>,
): { keep(line: string): void; settled(): Promise<void> } {
  let newest: string | undefined;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    while (newest !== undefined) {
      const line = newest;
      try {
        await whenDurable();
        await writeLatestCheckpoint(folder, line);
      } catch (error) {
        // An older copy is still true, and the chain itself is not in danger.
        log.warn('the copy of the latest audit checkpoint is behind', { error });
      }
      if (newest === line) newest = undefined;
    }
    writing = undefined;
  };
  return {
    keep(line) {
      newest = line;
      writing ??= write();
    },
    settled: () => writing ?? Promise.resolve(),
  };
}

/** Temporary files of a process that was killed. Safe under the lock: nobody else writes here. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.tmp') || name.endsWith('.dead')) await unlink(join(folder, name));
  }
}
