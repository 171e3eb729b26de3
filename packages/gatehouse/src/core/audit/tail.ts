import { setTimeout as wait } from 'node:timers/promises';
import { type AuditRecord, createRecordReader, type RecordReader } from './audit-record.ts';
import { readLines } from './read-lines.ts';
import { passing, type RecordFilter } from './search.ts';
import { listSegments } from './segment-files.ts';

/** The last `count` records that pass, oldest first. Reads backwards by segments, only as many as it takes. */
export async function tailRecords(
  folder: string,
  count: number,
  filter: RecordFilter = {},
  reader: RecordReader = createRecordReader(),
): Promise<AuditRecord[]> {
  let found: AuditRecord[] = [];
  for (const { path } of (await listSegments(folder)).reverse()) {
    if (found.length >= count) break;
    let here: AuditRecord[] = [];
    for await (const { lines } of readLines(path)) {
      here = [...here, ...passing(lines, filter, reader)].slice(-count);
    }
    found = [...here, ...found].slice(-count);
  }
  return found;
}

const FOLLOW_MS = 500;

/** The records after number `seq` that pass, as they are written, until the signal aborts. */
export async function* followRecords(
  folder: string,
  seq: number,
  filter: RecordFilter,
  signal: AbortSignal,
  reader: RecordReader = createRecordReader(),
): AsyncGenerator<AuditRecord> {
  let at: { number: number; offset: number } | undefined;
  while (!signal.aborted) {
    const segments = await listSegments(folder);
    // Records may have gone to a new segment since `seq` was read: begin one segment early.
    at ??= { number: segments.at(-2)?.number ?? segments.at(-1)?.number ?? 1, offset: 0 };
    for (const { number, path } of segments) {
      if (number < at.number) continue;
      if (number > at.number) at = { number, offset: 0 };
      for await (const { lines } of readLines(path, at.offset)) {
        for (const line of lines) at.offset += line.length + 1;
        for (const record of passing(lines, filter, reader)) if (record.seq > seq) yield record;
      }
    }
    await wait(FOLLOW_MS, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
