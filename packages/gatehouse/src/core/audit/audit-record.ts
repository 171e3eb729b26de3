import type { AuditEvent } from '#base/model/audit-event';
import { readLine } from './chain.ts';
import { type FieldOpener, noKeys } from './fields/field-opener.ts';
import { createRecentTexts } from './fields/recent-texts.ts';
import { type ClosedReason, SEALED_FIELDS, SEALED_MARK, type SealedField } from './fields/sealed-fields.ts';
import { lineFields } from './line-fields.ts';
import { parseHeader, type SegmentHeader } from './marker-lines.ts';
import { asciiJson } from './quoted-text.ts';

/**
 * An event as it was read back, its sealed fields opened as far as keys are at hand. Texts over the limit end
 * in their digest (`quoted-text.ts`).
 */
export interface AuditRecord extends AuditEvent {
  readonly seq: number;
  readonly prev: string;
  readonly monotonicMs: number;
  readonly hash: string;
  /** Where it is not in the home's own chain: in which, such as `gateway-1`. */
  readonly chain?: string;
  /** Fields that could not be opened, and why. They hold their sealed text. */
  readonly closed: Readonly<Partial<Record<SealedField, ClosedReason>>>;
}

/** Reads the lines of a chain, segment by segment from the header of each. */
export interface RecordReader {
  /**
   * The event that a line holds. Undefined for headers and checkpoints, for a line that is not whole and for one that
   * is no record in spite of its hash: reading is no verdict, `verifyChain` is.
   */
  read(line: string): AuditRecord | undefined;
  /** Records so far with a field that could not be opened. */
  closedRecords(): number;
}

const RECENT_MAX = 1_024;
const NO_HEADER = { format: 1, chain: '' } as const;

const RECORD_FIELDS = {
  seq: 'number',
  prev: 'string',
  kind: 'string',
  timeMs: 'number',
  monotonicMs: 'number',
  requestId: 'string',
  connectionId: 'string',
  principal: 'string',
  credential: 'string',
  namespace: 'string',
  method: 'string',
  outcome: 'string',
  status: 'number',
  reason: 'string',
  severity: 'string',
  peer: 'string',
  endpoint: 'string',
  durationMs: 'number',
  count: 'number',
  detail: 'string',
  hash: 'string',
} as const satisfies Record<Exclude<keyof AuditRecord, 'closed' | 'chain'>, 'string' | 'number'>;

export function createRecordReader(opener: FieldOpener = noKeys): RecordReader {
  // Before the first header nothing is taken for sealed.
  let header: Pick<SegmentHeader, 'format' | 'chain'> = NO_HEADER;
  let closedRecords = 0;
  const recent = createRecentTexts(RECENT_MAX);

  /** The value, or why there is none. */
  const open = (field: SealedField, text: string): string | { readonly closed: ClosedReason } => {
    const name = `${field}${text}`;
    const known = recent.get(name);
    if (known !== undefined) return known;
    const opened = opener.open(header.chain, field, text);
    if ('closed' in opened) return opened;
    recent.set(name, opened.value);
    return opened.value;
  };

  return {
    closedRecords: () => closedRecords,
    read(line) {
      const kind = readLine(line)?.kind;
      if (kind === 'header') header = parseHeader(line) ?? NO_HEADER;
      if (kind === undefined || kind === 'header' || kind === 'checkpoint') return undefined;
      const parsed = lineFields(line, RECORD_FIELDS) as Omit<AuditRecord, 'closed'> | undefined;
      if (parsed === undefined) return undefined;
      const opened: Partial<Record<SealedField, string>> = {};
      const closed: Partial<Record<SealedField, ClosedReason>> = {};
      for (const field of SEALED_FIELDS) {
        const text = parsed[field];
        // In format 1 a text that begins so is what somebody sent.
        if (header.format === 1 || !text.startsWith(SEALED_MARK)) continue;
        const found = open(field, text);
        if (typeof found === 'string') opened[field] = found;
        else closed[field] = found.closed;
      }
      if (Object.keys(closed).length > 0) closedRecords += 1;
      return { ...parsed, ...opened, closed };
    },
  };
}

/**
 * A record as one line of JSON, printable ASCII: the safe form to show or to send on. The fields of its line, in
 * their order and opened, and `closed` where some could not be. `hash` is that of the line as it is in the chain.
 */
export function recordJson({ closed, ...record }: AuditRecord): string {
  return asciiJson(Object.keys(closed).length === 0 ? record : { ...record, closed });
}
