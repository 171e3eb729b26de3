/**
 * The longest visibility query that is relayed, in UTF-16 units. The engine's parser needs time that grows
 * with nesting: 16,000 nested operators took 0.1 s, 3.9 million kept it busy for over 20 s (run on 1.31.2),
 * and on larger stacks the process ends (CVE-2026-65651).
 */
export const QUERY_LENGTH_MAX = 16_384;

/** Opens a MySQL version comment. `/*!` with nothing but digits after it ends the process (CVE-2026-16651). */
const VERSION_COMMENT = '/*!';

/**
 * Says why a visibility query must not reach the engine, or undefined where it may. For every field that
 * holds a query: List-, Scan- and CountWorkflowExecutions, ListWorkers, ListSchedules, batch operations.
 * A version comment inside a quoted value is refused too: we do not parse quotes as the engine does.
 */
export function findQueryFault(query: string): string | undefined {
  if (query.length > QUERY_LENGTH_MAX) return `a query has at most ${QUERY_LENGTH_MAX} characters`;
  if (query.includes(VERSION_COMMENT)) return 'a query must not hold a version comment';
  return undefined;
}
