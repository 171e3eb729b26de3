import { type AuditRecord, createRecordReader, type RecordReader } from './audit-record.ts';
import { readLines } from './read-lines.ts';
import { listSegments } from './segment-files.ts';

/** What to look for; all that is given must hold. Texts must be equal, times are Unix milliseconds. */
export interface RecordFilter {
  readonly namespace?: string | undefined;
  readonly principal?: string | undefined;
  readonly credential?: string | undefined;
  /** With its port, or the address alone. */
  readonly peer?: string | undefined;
  /** `Service/Method`, or the method alone. */
  readonly method?: string | undefined;
  readonly outcome?: string | undefined;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  /** Inclusive. */
  readonly sinceMs?: number | undefined;
  /** Exclusive. */
  readonly untilMs?: number | undefined;
}

/**
 * Reads the whole chain, oldest first, in constant memory. Wall clocks step, so no segment is left out. A field
 * that the reader cannot open equals nothing that is looked for.
 */
export async function* searchRecords(
  folder: string,
  filter: RecordFilter,
  reader: RecordReader = createRecordReader(),
): AsyncGenerator<AuditRecord> {
  for (const { path } of await listSegments(folder)) {
    for await (const { lines } of readLines(path)) yield* passing(lines, filter, reader);
  }
}

/** The records among some lines that the filter lets through. */
export function passing(lines: readonly string[], filter: RecordFilter, reader: RecordReader): AuditRecord[] {
  const records: AuditRecord[] = [];
  for (const line of lines) {
    const record = reader.read(line);
    if (record !== undefined && passes(record, filter)) records.push(record);
  }
  return records;
}

function passes(record: AuditRecord, filter: RecordFilter): boolean {
  const equals = (wanted: string | undefined, value: string): boolean =>
    wanted === undefined || wanted === value;
  return (
    equals(filter.namespace, record.namespace) &&
    equals(filter.principal, record.principal) &&
    equals(filter.credential, record.credential) &&
    (equals(filter.peer, record.peer) || equals(filter.peer, record.peer.replace(PORT, ''))) &&
    equals(filter.outcome, record.outcome) &&
    equals(filter.reason, record.reason) &&
    equals(filter.requestId, record.requestId) &&
    (equals(filter.method, record.method) || record.method.endsWith(`/${filter.method}`)) &&
    record.timeMs >= (filter.sinceMs ?? Number.NEGATIVE_INFINITY) &&
    record.timeMs < (filter.untilMs ?? Number.POSITIVE_INFINITY)
  );
}

const PORT = /:\d+$/;
