import type { AuditEvent } from '#base/model/audit-event';
import { readLine } from './chain.ts';

/** An event as it was read back. Texts over the limit end in their digest (`quoted-text.ts`). */
export interface AuditRecord extends AuditEvent {
  readonly seq: number;
  readonly monotonicMs: number;
  /** The line itself, printable ASCII: the safe form to show or to send on. */
  readonly line: string;
}

/**
 * The event that a line holds. Undefined for headers and checkpoints, and for a line that is not whole:
 * reading is no verdict, `verifyChain` is.
 */
export function parseRecord(line: string): AuditRecord | undefined {
  const kind = readLine(line)?.kind;
  if (kind === undefined || kind === 'header' || kind === 'checkpoint') return undefined;
  return { ...(JSON.parse(line) as Omit<AuditRecord, 'line'>), line };
}
