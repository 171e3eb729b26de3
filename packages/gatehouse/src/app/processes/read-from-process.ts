import { isUseReport } from '#core/limits/use-report';
import type { FromProcess } from './messages.ts';

/** Longer than any sentence of ours; it goes into the log and the audit chain. */
const PROBLEM_CHARS_MAX = 2000;

/**
 * What a gateway process said. It is the one that reads what strangers send, so it is not believed: what it says must
 * not bring down the supervisor, which all others depend on.
 * @returns undefined where it is nothing that one says.
 */
export function readFromProcess(said: unknown): FromProcess | undefined {
  if (!isObject(said)) return undefined;
  const { kind } = said;
  if (kind === 'ready' || kind === 'quiet') return { kind };
  if (kind === 'failed') {
    const { problem } = said;
    return typeof problem === 'string' ? { kind, problem: problem.slice(0, PROBLEM_CHARS_MAX) } : undefined;
  }
  if (kind === 'use') {
    const { reports } = said;
    return Array.isArray(reports) && reports.every(isUseReport) ? { kind, reports } : undefined;
  }
  if (kind !== 'connections') return undefined;
  const { taken, settled, closed } = said;
  return isIds(taken) && isIds(settled) && isIds(closed) ? { kind, taken, settled, closed } : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((id) => Number.isSafeInteger(id));
}
