import { COUNTERS } from './call-class.ts';

/** What one namespace has under way in a process, or in all. */
export interface NamespaceUse {
  readonly connections: number;
  readonly polls: number;
  readonly waits: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** Calls and connections that met a limit, since the start. */
  readonly refused: number;
}

/**
 * What a process tells the others of one namespace, and what it is told of all others together. Rates are told as
 * what was spent, so that nothing is counted twice or not at all; what is held is told as it stands.
 */
export interface UseReport extends NamespaceUse {
  readonly namespaceId: string;
  /** By counter of the call classes: polls and waits that are held. */
  readonly held: readonly number[];
  /** Tokens spent since the report before: calls, searches, changes. */
  readonly spent: Rates;
  /** Tokens left in its buckets: where a process begins that has none for this namespace yet. */
  readonly left: Rates;
  /** How long ago that was; time has brought more since. */
  readonly ageMs: number;
}

/** Of calls, searches (visibility) and changes (management), in this order. */
export type Rates = readonly [calls: number, visibility: number, management: number];

export const NOTHING_SPENT: Rates = Object.freeze([0, 0, 0]);

/** What nobody else holds. */
export const NO_OTHERS: Pick<UseReport, 'connections' | 'requestBytes' | 'replyBytes' | 'held'> =
  Object.freeze({ connections: 0, requestBytes: 0, replyBytes: 0, held: Object.freeze([]) });

const COUNTS = [
  'connections',
  'polls',
  'waits',
  'requestBytes',
  'replyBytes',
  'refused',
  'ageMs',
] as const satisfies readonly (keyof UseReport)[];
/** Of a namespace's id: 39, a dot and 32 (base/model/namespace-id). */
const ID_CHARS_MAX = 72;

/** Whether another process's words are a report: every number is one, and there are as many as there should be. */
export function isUseReport(value: unknown): value is UseReport {
  if (typeof value !== 'object' || value === null) return false;
  const report: Partial<Record<keyof UseReport, unknown>> = value;
  const { namespaceId, held, spent, left } = report;
  return (
    typeof namespaceId === 'string' &&
    namespaceId.length <= ID_CHARS_MAX &&
    COUNTS.every((name) => Number.isFinite(report[name])) &&
    areNumbers(held, COUNTERS) &&
    areNumbers(spent, NOTHING_SPENT.length) &&
    areNumbers(left, NOTHING_SPENT.length)
  );
}

function areNumbers(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length === count && value.every((each) => Number.isFinite(each));
}
