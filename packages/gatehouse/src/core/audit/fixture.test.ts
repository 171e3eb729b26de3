import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AuditEvent } from '#base/model/audit-event';
import { systemClock } from '#base/runtime/clock';
import { silentLog } from '#base/runtime/log';
import { type AuditSigningKey, createAuditSigningKey } from './audit-signing-key.ts';
import { type AuditWriter, type AuditWriterOptions, openAuditWriter } from './audit-writer.ts';
import { type AuditDataKeys, createAuditDataKeys } from './fields/audit-data-keys.ts';
import { diskSegmentFiles, type SegmentFile, type SegmentFiles } from './segment-files.ts';

/** No test itself: what the tests of this folder share. */
export const signingKey: AuditSigningKey = createAuditSigningKey();

export const dataKeys: AuditDataKeys = createAuditDataKeys();

export function sampleEvent(changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    kind: 'call',
    timeMs: 1_764_000_000_000,
    requestId: '0190c8d8-7c1a-7b6e-9c1f-8f0e5a3b2c1d',
    connectionId: '0190c8d8-7c1a-7b6e-9c1f-8f0e5a3b2c1e',
    principal: 'certificate:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    credential: 'CN=acme root:1234567890abcdef',
    namespace: 'default.local',
    method: 'WorkflowService/StartWorkflowExecution',
    outcome: 'ok',
    status: 0,
    reason: '',
    severity: 'low',
    peer: '127.0.0.1:54321',
    endpoint: '',
    durationMs: 1.25,
    count: 1,
    detail: '',
    ...changes,
  };
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-audit-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function openTestWriter(
  folder: string,
  changes: Partial<AuditWriterOptions> = {},
): Promise<AuditWriter> {
  return openAuditWriter({ folder, clock: systemClock, log: silentLog, signingKey, dataKeys, ...changes });
}

/** A disk that fails, waits or counts as a test says. */
export interface FaultyFiles extends SegmentFiles {
  /** What the next operations throw; undefined where the disk is well. */
  error: NodeJS.ErrnoException | undefined;
  /** What syncs alone throw: writes are taken. */
  syncError: NodeJS.ErrnoException | undefined;
  /** Bytes that a failing write still takes, like a disk that fills up half-way. */
  takesBytes: number;
  /** What a sync waits for. */
  gate: Promise<void>;
  writes: number;
  syncs: number;
  syncsAtOnceMost: number;
}

export function faultyFiles(): FaultyFiles {
  let syncing = 0;
  const wrap = (file: SegmentFile): SegmentFile => ({
    ...file,
    async write(bytes, position) {
      files.writes += 1;
      if (files.error === undefined) return await file.write(bytes, position);
      await file.write(bytes.subarray(0, files.takesBytes), position);
      throw files.error;
    },
    async sync() {
      files.syncs += 1;
      syncing += 1;
      files.syncsAtOnceMost = Math.max(files.syncsAtOnceMost, syncing);
      await files.gate;
      syncing -= 1;
      const error = files.error ?? files.syncError;
      if (error !== undefined) throw error;
      await file.sync();
    },
  });
  const files: FaultyFiles = {
    error: undefined,
    syncError: undefined,
    takesBytes: 0,
    gate: Promise.resolve(),
    writes: 0,
    syncs: 0,
    syncsAtOnceMost: 0,
    create: async (path) => wrap(await diskSegmentFiles.create(path)),
    reopen: async (path) => wrap(await diskSegmentFiles.reopen(path)),
  };
  return files;
}

export function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/** Waits until something holds, looking at each turn of the event loop. @throws when it takes over 10 s. */
export async function until(holds: () => boolean): Promise<void> {
  const byMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > byMs) throw new Error(`did not come to hold: ${holds}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
